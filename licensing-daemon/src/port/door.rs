//! A protocol of the program's own, beside the house's on the same port.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use licensing_raft::Node;
use licensing_raft::environment::Stream;
use licensing_raft::watch::Watcher;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tracing::{debug, error};

use super::far::Far;
use super::idle::Idle;

/// A caller over whose connection nothing goes for this long is sent away, and so is a client that says nothing: clients send a
/// heartbeat every few seconds, and a machine that vanished without a word would keep its place for ever.
pub const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// Somebody who speaks a protocol of the program's own.
pub struct Caller {
    /// The connection, behind the four bytes it began with. What is written goes out at once.
    pub stream: BufReader<Box<dyn Stream>>,
    /// Where it comes from.
    pub from: SocketAddr,
    /// The node of this server: sessions, proposals, and who is master.
    pub node: Node,
}

impl Caller {
    /// The next line, without its end; `None` when there is no more. A line may have `most` bytes: whoever sends more is not
    /// believed, and costs no more memory than that. A line that ends with the connection is none: half a number is another
    /// number. Do not drop the future before it is done: what it has read of a line is lost.
    ///
    /// # Errors
    ///
    /// The connection broke, the line is longer, or it is not UTF-8.
    pub async fn line(&mut self, most: usize) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        // One more than that, and its end.
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(2);
        if (&mut self.stream).take(limit).read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let is_whole = line.last() == Some(&b'\n');
        for end in [b'\n', b'\r'] {
            line.pop_if(|last| *last == end);
        }
        if !is_whole && line.len() <= most {
            // Half a number is another number.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.len() > most {
            let problem = format!("a line of more than {most} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let text = String::from_utf8(line);
        text.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("from", &self.from).finish_non_exhaustive()
    }
}

/// Serves one caller, until the connection ends.
pub(crate) type Serve = Arc<dyn Fn(Caller) -> BoxFuture<'static, ()> + Send + Sync>;

/// Four bytes, and who serves the connections that begin with them.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) preamble: [u8; 4],
    pub(crate) serve: Serve,
}

impl Door {
    /// Serves a caller until it goes, is silent for too long, or the server closes.
    pub(crate) async fn receive(
        &self,
        stream: Box<dyn Stream>,
        from: Far,
        node: Node,
        mut closing: Watcher<bool>,
    ) {
        let (stream, heard) = Idle::watch(stream);
        let caller = Caller { stream: BufReader::new(Box::new(stream)), from: from.0, node };
        // A caller that is served badly is one caller's trouble, and the log's.
        let served = AssertUnwindSafe((self.serve)(caller)).catch_unwind();
        tokio::select! {
            served = served => if let Err(panic) = served {
                error!(%from, "the program's own protocol panicked: {}", words(&*panic));
            },
            () = heard.silent_for(IDLE_LIMIT) => debug!(%from, "idle for {IDLE_LIMIT:?}, closed"),
            // The node has stopped: there is nothing left to say.
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Door({})", self.preamble.escape_ascii())
    }
}
