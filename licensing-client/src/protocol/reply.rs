//! What a server says.

use licensing_core::edition::Edition;
use licensing_core::id::LogIndex;
use licensing_core::outcome::Answer;
use serde::{Deserialize, Serialize};

use super::hello::Whereabouts;
use super::status::StatusPage;
use super::vendor_data::VendorDataPage;

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMessage {
    /// The answer to a request.
    Reply {
        /// The request's id.
        id: u64,
        /// The answer.
        reply: Reply,
    },
    /// Mastership moved; sent to every client of a server whose whereabouts changed.
    Moved(Whereabouts),
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Decided by the replicated state.
    Answer(Answer),
    /// To [`Request::Recall`](super::Request::Recall).
    Recalled(Recollection),
    /// To [`Request::Heartbeat`](super::Request::Heartbeat): the session lives.
    Alive {
        /// Applied index when it was judged.
        index: LogIndex,
        /// How often to send a heartbeat from now on, in milliseconds: less often in a crowd.
        heartbeat_ms: u64,
    },
    /// To [`Request::Heartbeat`](super::Request::Heartbeat): no such session any more, or a wrong token.
    Gone,
    /// To [`Request::Status`](super::Request::Status).
    Status(Box<StatusPage>),
    /// To administrative requests: done, with a word about it.
    Done(String),
    /// This server is not master; nothing was done. Ask the one named.
    NotMaster(Whereabouts),
    /// The request may or may not have been done: ask again with the same number.
    Unknown(String),
    /// Nothing was done because too much is under way; ask again after this many milliseconds.
    Busy {
        /// When.
        retry_after_ms: u64,
    },
    /// Nothing was done, and asking again will not help.
    Error(String),
    /// To [`Request::VendorData`](super::Request::VendorData).
    VendorData(Box<VendorDataPage>),
    /// Nothing was done: the rule that allows it sleeps until all servers know it.
    NeedsEdition {
        /// What allows it.
        needed: Edition,
    },
}

/// What became of a numbered request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recollection {
    /// It was answered.
    Answered(Answer),
    /// It has not been seen; it may still be under way.
    NotSeen,
    /// The client had acknowledged it.
    Forgotten,
    /// There is no such session.
    NoSession,
}
