//! What an application may want to know about its connection. None of it needs an answer: requests wait by
//! themselves.

use crate::search_path::ServerAddress;

/// What happened to a client's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The session was opened.
    Connected {
        /// With which server.
        server: ServerAddress,
    },
    /// The session goes on after a [`ClientEvent::Disconnected`], with everything it holds.
    Reconnected {
        /// With which server.
        server: ServerAddress,
        /// How long there was no master to talk to, in milliseconds, as far as the client noticed.
        gap_ms: u64,
    },
    /// There is no master to talk to at the moment; requests wait.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// The session is gone and its seats with it; only a new client helps.
    SessionLost,
}
