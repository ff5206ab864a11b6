//! A protocol of the program's own, beside the house's on the same port.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use licensing_raft::Node;
use licensing_raft::environment::Stream;

/// Somebody who speaks a protocol of the program's own.
pub struct Caller {
    /// The connection, behind the four bytes it began with.
    pub stream: Box<dyn Stream>,
    /// Where it comes from.
    pub from: SocketAddr,
    /// The node of this server: sessions, proposals, and who is master.
    pub node: Node,
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

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Door({:?})", String::from_utf8_lossy(&self.preamble))
    }
}
