//! A connection as the port sees it: TCP, or the like in memory where a triad is simulated.

use std::io;

use licensing_raft::Node;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::far::Far;

/// Bytes both ways, which can be taken apart into one half for each.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    type Reading: AsyncRead + Send + Unpin;
    type Writing: AsyncWrite + Send + Unpin;

    /// Small messages are sent at once.
    fn hurry(&self) {}

    /// The same connection, watched by the runtime that this is called on.
    fn moved_here(self) -> io::Result<Self>
    where
        Self: Sized,
    {
        Ok(self)
    }

    fn divide(self) -> (Self::Reading, Self::Writing);

    /// Hands the connection to the node: it is a peer's.
    fn hand_to(self, node: &Node, from: Far);
}

impl Wire for TcpStream {
    type Reading = OwnedReadHalf;
    type Writing = OwnedWriteHalf;

    fn hurry(&self) {
        // A request is one small message; waiting to fill a segment would cost more than the request. A connection
        // that refuses this works all the same.
        let _ = self.set_nodelay(true);
    }

    fn moved_here(self) -> io::Result<TcpStream> {
        TcpStream::from_std(self.into_std()?)
    }

    fn divide(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.into_split()
    }

    fn hand_to(self, node: &Node, from: Far) {
        node.accept_peer(self, from.to_string());
    }
}

#[cfg(feature = "testing")]
impl Wire for licensing_raft::testing::SimulatedStream {
    type Reading = tokio::io::ReadHalf<licensing_raft::testing::SimulatedStream>;
    type Writing = tokio::io::WriteHalf<licensing_raft::testing::SimulatedStream>;

    fn divide(self) -> (Self::Reading, Self::Writing) {
        tokio::io::split(self)
    }

    fn hand_to(self, node: &Node, from: Far) {
        node.accept_peer_on(self, from.to_string(), Some(from.0));
    }
}
