//! The one TCP port: everything that connects is told apart by its first bytes.
//!
//! | first bytes | who |
//! |---|---|
//! | [`PEER_PREAMBLE`](licensing_raft::PEER_PREAMBLE) | another server of the triad, handed to the node |
//! | [`PREAMBLE`](licensing_client::protocol::PREAMBLE) | a client |
//! | four bytes of the program's own | whom [`DaemonBuilder::door`](crate::DaemonBuilder::door) names |
//! | 0x16 | a TLS hello, turned away with a log line |
//! | printable ASCII | a line of text, answered with one line |
//!
//! The property kept: nobody keeps a peer out. Peers are never counted against the limit of client connections, and
//! a flood of silent connections pushes out its own oldest ones, never a server that speaks as soon as it connects.

mod accept;
pub(crate) mod dialing;
pub(crate) mod door;
pub(crate) mod far;
mod idle;
pub(crate) mod opening;
mod status_line;
pub(crate) mod undecided;
pub(crate) mod wire;

pub(crate) use accept::accept;
#[cfg(feature = "testing")]
pub(crate) use accept::serve;
