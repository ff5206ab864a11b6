//! The one TCP port: everything that connects is told apart by its first bytes.
//!
//! | first bytes | who |
//! |---|---|
//! | [`PEER_PREAMBLE`] | another server of the triad, handed to the node |
//! | [`PREAMBLE`] | a client |
//! | 0x16 | a TLS hello, turned away with a log line |
//! | printable ASCII | a line of text, answered with one line |
//!
//! The property kept: nobody keeps a peer out. Peers are never counted against the limit of client connections, and
//! a flood of silent connections pushes out its own oldest ones, never a server that speaks as soon as it connects.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_client::protocol::PREAMBLE;
use licensing_raft::PEER_PREAMBLE;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info, warn};

use crate::client_port;
use crate::server::{Far, Server};
use crate::status_text;
use crate::wire::Wire;

/// How long a connection has for its first bytes and, as a client, its hello: generous for a transatlantic client,
/// short for one that says nothing on purpose.
pub(crate) const OPENING_DEADLINE: Duration = Duration::from_secs(2);

/// Longest line of text, in bytes: `STATUS` and whatever a monitor appends.
const MAX_LINE: usize = 128;

/// Pause after an accept that failed (no file descriptors, usually): trying at once would only burn a processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until its task is aborted; the connections' own tasks go on.
pub(crate) async fn accept(server: Arc<Server>, listener: TcpListener) {
    let undecided = Arc::new(Undecided::default());
    loop {
        match listener.accept().await {
            Ok((stream, from)) => undecided.clone().admit(server.clone(), stream, from),
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a connection that is not counted among the undecided.
#[cfg(feature = "testing")]
pub(crate) async fn serve<S: Wire>(server: Arc<Server>, stream: S, from: Far) {
    open(server, stream, from, Place { undecided: Arc::default(), number: 0 }).await;
}

async fn open<S: Wire>(server: Arc<Server>, mut stream: S, from: Far, place: Place) {
    stream.hurry();
    let deadline = Instant::now() + OPENING_DEADLINE;
    match timeout_at(deadline, read_opening(&mut stream)).await {
        Err(_) => debug!(%from, "said nothing for {OPENING_DEADLINE:?}, closed"),
        Ok(Err(problem)) => debug!(%from, "{problem}, closed"),
        Ok(Ok(Opening::Peer)) => {
            drop(place);
            server.node.accept_peer(stream, from.to_string());
        }
        Ok(Ok(Opening::Client)) => match server.elsewhere().cloned() {
            None => client_port::serve(server, stream, from, deadline, place).await,
            Some(threads) => place.move_to(&threads, |place| async move {
                match stream.moved_here() {
                    Ok(stream) => client_port::serve(server, stream, from, deadline, place).await,
                    Err(problem) => debug!(%from, "{problem}, closed"),
                }
            }),
        },
        Ok(Ok(Opening::Tls)) => {
            info!(%from, "speaks TLS, which is not configured on this server, closed");
        }
        Ok(Ok(Opening::Line(line))) => {
            let quorum = server.node.mastership_now().quorum;
            let answer = status_text::answer(&line, &server.standing(), quorum);
            let answered = async {
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await
            };
            let _ = timeout_at(deadline, answered).await;
        }
    }
}

/// What the first bytes say.
#[derive(Debug, PartialEq, Eq)]
enum Opening {
    Peer,
    Client,
    Tls,
    Line(String),
}

/// First bytes that mean nothing.
#[derive(Debug, thiserror::Error)]
enum OpeningProblem {
    #[error("began with {0:02x?}, which is neither a client, a peer nor text")]
    Garbage(Vec<u8>),
    #[error("sent a line of more than {MAX_LINE} bytes")]
    LongLine,
    #[error("closed the connection before saying anything: {0}")]
    Io(#[from] std::io::Error),
}

/// First byte of a TLS record that begins a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Reads as little as tells what it is: what follows belongs to the next reader.
async fn read_opening<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Opening, OpeningProblem> {
    let first = stream.read_u8().await?;
    match first {
        0 => {
            let mut preamble = [0; 4];
            stream.read_exact(&mut preamble[1..]).await?;
            match preamble {
                PREAMBLE => Ok(Opening::Client),
                PEER_PREAMBLE => Ok(Opening::Peer),
                other => Err(OpeningProblem::Garbage(other.to_vec())),
            }
        }
        TLS_HANDSHAKE => Ok(Opening::Tls),
        b' '..=b'~' | b'\r' | b'\n' => {
            let mut line = vec![first];
            while line.last() != Some(&b'\n') {
                if line.len() == MAX_LINE {
                    return Err(OpeningProblem::LongLine);
                }
                match stream.read_u8().await {
                    Ok(byte) => line.push(byte),
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(Opening::Line(String::from_utf8_lossy(&line).into_owned()))
        }
        other => Err(OpeningProblem::Garbage(vec![other])),
    }
}

/// Connections that have not said yet what they are, oldest first.
#[derive(Default)]
struct Undecided {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    /// A handle is entered as soon as its task has started.
    tasks: BTreeMap<u64, Option<AbortHandle>>,
}

/// A place among the undecided, given up when the connection has said what it is.
pub(crate) struct Place {
    undecided: Arc<Undecided>,
    number: u64,
}

impl Undecided {
    fn admit(self: Arc<Self>, server: Arc<Server>, stream: TcpStream, from: SocketAddr) {
        let number = {
            let mut waiting = self.lock();
            if waiting.tasks.len() >= server.limits.undecided
                && let Some((_, Some(oldest))) = waiting.tasks.pop_first()
            {
                oldest.abort();
            }
            let number = waiting.next;
            waiting.next += 1;
            waiting.tasks.insert(number, None);
            number
        };
        let place = Place { undecided: self.clone(), number };
        let task = tokio::spawn(open(server, stream, Far(from), place));
        self.note(number, &task);
    }

    /// Which task a connection is in, unless it is decided already.
    fn note(&self, number: u64, task: &JoinHandle<()>) {
        if let Some(handle) = self.lock().tasks.get_mut(&number) {
            *handle = Some(task.abort_handle());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Goes on with the connection on other threads.
    fn move_to<F>(self, threads: &Handle, serving: impl FnOnce(Place) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (undecided, number) = (self.undecided.clone(), self.number);
        let task = threads.spawn(serving(self));
        undecided.note(number, &task);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.undecided.lock().tasks.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opening(bytes: &[u8]) -> Result<Opening, String> {
        let mut stream = bytes;
        read_opening(&mut stream).await.map_err(|problem| problem.to_string())
    }

    #[tokio::test]
    async fn the_first_bytes_tell_who_it_is() {
        assert_eq!(opening(b"\0LSC\0\0\0\x05hello").await, Ok(Opening::Client));
        assert_eq!(opening(b"\0LSP....").await, Ok(Opening::Peer));
        assert_eq!(opening(b"\x16\x03\x01\x02\0").await, Ok(Opening::Tls));
        assert_eq!(opening(b"STATUS\r\nmore").await, Ok(Opening::Line("STATUS\r\n".to_owned())));
        assert_eq!(opening(b"STATUS").await, Ok(Opening::Line("STATUS".to_owned())));
    }

    #[tokio::test]
    async fn garbage_is_named() {
        let garbage = |bytes: &str| format!("began with {bytes}, which is neither a client, a peer nor text");
        assert_eq!(opening(b"\xff\xff\xff\xff").await, Err(garbage("[ff]")));
        assert_eq!(opening(b"\0LSX").await, Err(garbage("[00, 4c, 53, 58]")));
        assert!(opening(&[b'x'; 1000]).await.unwrap_err().contains("more than 128 bytes"));
        assert!(opening(b"").await.unwrap_err().contains("closed the connection"));
    }
}
