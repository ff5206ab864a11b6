//! Where hosts are: what a name service said last, and what worked last.
//!
//! A name service that is away must not take a site's licenses with it. So an address under which a host was reached is kept, and
//! dialed at once; the name is looked up beside it. What the name service said last comes first, and what worked last comes with it:
//! it is dialed when the look-up fails, is late, or leads nowhere.

mod kept;
mod table;

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use licensing_core::address::ServerAddress;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use self::table::{Found, Table};

/// The next address of a host is tried beside the one before when that has not answered for so long.
const STAGGER: Duration = Duration::from_millis(150);

type Resolve = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// The way from names to connections. Clones share what they know.
#[derive(Clone)]
pub struct Names {
    table: Arc<Table>,
    resolve: Arc<Resolve>,
}

impl Names {
    /// Nothing known yet; what will be known is forgotten with the last clone.
    pub fn new() -> Names {
        Names { table: Arc::new(Table::default()), resolve: Arc::new(ask_the_system) }
    }

    /// What this file says, kept there from now on. A file that is not there, or is none of these, says nothing.
    pub fn kept_in(file: PathBuf) -> Names {
        Names { table: Arc::new(Table::kept_in(file)), resolve: Arc::new(ask_the_system) }
    }

    /// Those of all programs of this user: `licensing/addresses` in `XDG_CACHE_HOME`, or in `.cache` of the home directory
    /// (`LOCALAPPDATA` on Windows). In memory alone when there is no such place.
    pub fn of_the_user() -> &'static Names {
        static NAMES: LazyLock<Names> = LazyLock::new(|| match kept::file_of_the_user() {
            Some(file) => Names::kept_in(file),
            None => Names::new(),
        });
        &NAMES
    }

    /// Addresses under which the host was reached or found before, in the order in which they are tried.
    pub fn known(&self, host: &str) -> Vec<IpAddr> {
        self.table.known(host)
    }

    /// Connects by TCP. Whoever calls gives up when it takes too long.
    ///
    /// Errors: of a host that was never reached, why its name leads nowhere; else why its addresses cannot be reached. "Connection
    /// refused" only if all of them refused.
    pub async fn connect(&self, address: &ServerAddress) -> io::Result<TcpStream> {
        let at_port = |ip: IpAddr| SocketAddr::new(ip, address.port);
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return TcpStream::connect(at_port(ip)).await;
        }
        let known = self.known(&address.host);
        let mut look_up = self.look_up(&address.host);
        let dialed = if known.is_empty() {
            first_of(found(&mut look_up).await?.into_iter().map(at_port).collect()).await
        } else {
            first_of(known.into_iter().map(at_port).collect()).await
        };
        let stream = dialed?;
        if let Ok(peer) = stream.peer_addr() {
            self.table.reached(&address.host, peer.ip());
        }
        Ok(stream)
    }

    /// The look-up that is under way, or a new one. On a thread of its own, which nobody waits for at the end of a program: a name
    /// service that is away may hold it for half a minute.
    fn look_up(&self, host: &str) -> watch::Receiver<Found> {
        let (names, name) = (self.clone(), host.to_owned());
        self.table.under_way(host, move |sender| {
            let thread = std::thread::Builder::new().name("look-up".to_owned());
            let spawned = thread.spawn(move || {
                let found = (names.resolve)(&name).map_err(|error| error.to_string());
                names.table.looked_up(&name, &found);
                let _ = sender.send(Some(found));
            });
            // Its sender is gone then, and that is what is seen.
            drop(spawned);
        })
    }
}

impl Default for Names {
    fn default() -> Names {
        Names::new()
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

fn ask_the_system(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

async fn found(look_up: &mut watch::Receiver<Found>) -> io::Result<Vec<IpAddr>> {
    let nobody = || io::Error::other("the name cannot be looked up: no thread for it");
    let found = look_up.wait_for(Option::is_some).await.map_err(|_| nobody())?;
    match found.as_ref() {
        Some(Ok(addresses)) => Ok(addresses.clone()),
        Some(Err(why)) => Err(io::Error::other(why.clone())),
        None => Err(nobody()),
    }
}

/// The first of these that can be reached: one after the other, and beside each other when one says nothing. If none can, the error is
/// "refused" only if all of them refused.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut failed: Option<io::Error> = None;
    let mut rest = addresses.into_iter();
    let mut dialing = FuturesUnordered::new();
    loop {
        dialing.extend(rest.next().map(TcpStream::connect));
        if dialing.is_empty() {
            let no_address = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return Err(failed.unwrap_or_else(no_address));
        }
        tokio::select! {
            biased;
            Some(dialed) = dialing.next() => match dialed {
                Ok(stream) => return Ok(stream),
                Err(error) if failed.as_ref().is_none_or(is_refused) => failed = Some(error),
                Err(_) => {}
            },
            () = sleep(STAGGER), if rest.len() > 0 => {}
        }
    }
}

fn is_refused(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use tokio::net::TcpListener;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    /// Nobody listens there.
    const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

    /// A name service that answers when, and what, the test says.
    fn service() -> (Names, Sender<io::Result<Vec<IpAddr>>>) {
        let (answer, answers): (_, Receiver<io::Result<Vec<IpAddr>>>) = channel();
        let answers = Mutex::new(answers);
        let gone = || io::Error::other("no name service");
        let resolve = move |_: &str| answers.lock().unwrap().recv().unwrap_or_else(|_| Err(gone()));
        (Names { table: Arc::new(Table::default()), resolve: Arc::new(resolve) }, answer)
    }

    async fn server() -> (TcpListener, ServerAddress) {
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, ServerAddress::new("lic1.example", port))
    }

    #[tokio::test]
    async fn a_host_that_was_reached_is_reached_while_nobody_answers_for_its_name() {
        let (names, answer) = service();
        let (_listener, address) = server().await;
        answer.send(Ok(vec![HERE])).unwrap();
        names.connect(&address).await.unwrap();
        // The service says nothing any more: the look-up beside it hangs.
        for _ in 0..3 {
            names.connect(&address).await.unwrap();
        }
        drop(answer);
        names.connect(&address).await.unwrap();
    }

    #[tokio::test]
    async fn what_the_name_leads_to_now_comes_first_and_what_worked_comes_with_it() {
        let (names, answer) = service();
        let (_listener, address) = server().await;
        answer.send(Ok(vec![HERE])).unwrap();
        names.connect(&address).await.unwrap();
        names.table.looked_up(&address.host, &Ok(vec![ELSEWHERE]));
        assert_eq!(names.known(&address.host), [ELSEWHERE, HERE]);
        names.connect(&address).await.unwrap();
    }

    #[tokio::test]
    async fn a_name_that_was_never_reached_says_why() {
        let (names, answer) = service();
        drop(answer);
        let error = names.connect(&ServerAddress::new("lic1.example", 1)).await.unwrap_err();
        assert_eq!(error.to_string(), "no name service");
        let refused = names.connect(&ServerAddress::new("127.0.0.9", 1)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn what_is_kept_in_a_file_is_known_to_the_next_program() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cache/addresses");
        let (_listener, address) = server().await;
        let first = Names { resolve: Arc::new(|_| Ok(vec![HERE])), ..Names::kept_in(file.clone()) };
        first.connect(&address).await.unwrap();
        let away = || io::Error::other("no name service");
        let next = Names { resolve: Arc::new(move |_| Err(away())), ..Names::kept_in(file.clone()) };
        next.connect(&address).await.unwrap();
        std::fs::write(&file, "\0 no such\nlic1.example nowhere\n").unwrap();
        assert!(Names::kept_in(file).known(&address.host).is_empty());
    }
}
