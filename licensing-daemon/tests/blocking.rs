//! Clients whose calls wait (`licensing_client::blocking`), against a real server: programs that sleep, use threads, fork, and
//! forget to say goodbye.

mod support;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use licensing_client::blocking::{Client, DROP_LIMIT};
use licensing_client::protocol::StatusFilter;
use licensing_client::{ClientConfig, RequestError, SearchPath, ServerAddress};
use licensing_daemon::{Daemon, LicenseFile, listen};
use support::{FEATURES, PATIENCE};
use tokio::sync::oneshot;

/// Less than a test takes: a session that nobody keeps alive would be gone.
const GRACE: Duration = Duration::from_millis(700);

/// A server with a thread and a runtime of its own, as far from the test as another process.
struct Far {
    port: u16,
    _directory: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Far {
    fn start() -> Far {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lic");
        std::fs::write(&path, format!("SERVER this_host ANY\nVENDOR demo\n{FEATURES}")).unwrap();
        let license = LicenseFile::read(&path).unwrap();
        let builder = Daemon::builder(license).data(directory.path().join("data")).session_grace(GRACE);
        let (ready, is_ready) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let daemon = builder.start(listen("127.0.0.1:0".parse().unwrap()).unwrap()).await.unwrap();
                let ready = move |address: std::net::SocketAddr| ready.send(address.port()).unwrap();
                daemon.run(ready, async { drop(stopped.await) }).await.unwrap();
            });
        });
        let port = is_ready.recv_timeout(PATIENCE).expect("the server starts");
        Far { port, _directory: directory, stop: Some(stop), thread: Some(thread) }
    }

    fn client(&self) -> Client {
        Client::connect(self.config()).unwrap()
    }

    fn config(&self) -> ClientConfig {
        ClientConfig::new(SearchPath::server(ServerAddress::new("127.0.0.1", self.port)))
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().map(thread::JoinHandle::join).transpose().expect("the server ends well");
    }
}

/// Seats of all features in use.
fn in_use(client: &Client) -> usize {
    client.status(StatusFilter::default()).unwrap().checkouts.len()
}

#[test]
fn a_program_that_sleeps_keeps_its_seats_and_what_it_drops_goes_back() {
    let server = Far::start();
    let (client, watcher) = (server.client(), server.client());
    let kept = client.checkout("f1").version("1.0").seats(2).send().unwrap();
    let dropped = client.checkout("f2").vendor("demo").send().unwrap();
    assert!(dropped.index() > kept.index());
    thread::sleep(GRACE * 3);
    assert_eq!(in_use(&watcher), 2);
    drop(dropped);
    assert_eq!(in_use(&watcher), 1, "a drop waits for the answer");
    kept.checkin().unwrap();
    // A session and its last seats go together.
    let forgotten = client.checkout("f1").send().unwrap();
    drop(client);
    assert_eq!(in_use(&watcher), 1, "the seats keep the session");
    drop(forgotten);
    let page = watcher.status(StatusFilter::default()).unwrap();
    assert_eq!((page.checkouts.len(), page.sessions), (0, 1));
}

/// A program that ends while nobody answers ends all the same, whatever it forgot to give back.
#[test]
fn whatever_is_dropped_without_a_master_in_reach_waits_a_second_and_no_longer() {
    let server = Far::start();
    let mut config = server.config();
    // So long may a request take.
    config.reconnect_timeout = DROP_LIMIT * 16;
    let client = Client::connect(config).unwrap();
    let seats = client.checkout("f1").send().unwrap();
    drop(server);
    let dropped = |what: Box<dyn std::any::Any>| {
        let begun = Instant::now();
        drop(what);
        begun.elapsed()
    };
    let seats = dropped(Box::new(seats));
    let client = dropped(Box::new(client));
    for took in [seats, client] {
        // A busy machine may add to it.
        assert!(took < DROP_LIMIT * 8, "{took:?}");
    }
    assert!(seats >= DROP_LIMIT, "{seats:?}: a drop waits for the answer");
}

#[test]
fn many_threads_share_a_client() {
    let server = Far::start();
    let client = server.client();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || {
                for _ in 0..20 {
                    client.checkout("f1").send().unwrap().checkin().unwrap();
                }
                client.checkout("f1").send().unwrap().detach()
            })
        })
        .collect();
    let mut handles: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    handles.sort_unstable();
    handles.dedup();
    assert_eq!((handles.len(), in_use(&client)), (8, 8));
    let denied = client.checkout("f1").seats(3).send().unwrap_err();
    assert!(matches!(denied, RequestError::Denied(_)), "{denied}");
    let session = client.session();
    client.clone().close().unwrap();
    assert_eq!(client.checkout("f1").send().unwrap_err(), RequestError::Closed);
    assert_ne!(server.client().session(), session);
}

/// In a runtime, too: it blocks the thread it is called on, and no other.
#[tokio::test]
async fn a_client_whose_calls_wait_may_be_used_within_a_runtime() {
    let server = Far::start();
    let seats = server.client().checkout("f1").send().unwrap();
    seats.checkin().unwrap();
}

#[cfg(unix)]
#[test]
#[allow(unsafe_code, reason = "there is no other way to fork")]
fn after_a_fork_the_client_is_the_parents() {
    let server = Far::start();
    let client = server.client();
    let seats = client.checkout("f1").send().unwrap();
    // SAFETY: the child allocates, which glibc allows after a fork, takes no lock that another thread may have held, and ends
    // without unwinding.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = client.checkout("f1").send();
        let is_told = matches!(refused, Err(RequestError::OtherProcess { owner }) if owner == std::os::unix::process::parent_id());
        drop((seats, client));
        // SAFETY: nothing is left to run.
        unsafe { libc::_exit(if is_told { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: it is a child of this process, and the place for its status is there.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child was told that the client is not its own");
    thread::sleep(GRACE * 2);
    assert_eq!(in_use(&client), 1, "the child gave nothing back");
    seats.checkin().unwrap();
}
