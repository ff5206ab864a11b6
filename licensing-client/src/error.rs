//! What can go wrong for an application. A "no" of the servers is [`RequestError::Denied`]; everything else says
//! what is known and what is not: a lost answer is [`RequestError::Unknown`], never a failure.

use licensing_core::edition::Edition;
use licensing_core::id::SessionId;
use licensing_core::outcome::Denial;

use crate::framing::FrameError;
use crate::protocol::Refusal;
use crate::search_path::ServerAddress;

/// A connection to one server that cannot be used (any more).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// No connection could be made.
    #[error("{server} cannot be reached: {source}")]
    Dial {
        /// Which server.
        server: ServerAddress,
        /// Why not.
        source: std::io::Error,
    },
    /// The server will not talk.
    #[error("{server} refused the connection: {refusal}")]
    Refused {
        /// Which server.
        server: ServerAddress,
        /// Why not.
        refusal: Refusal,
    },
    /// The server did not answer in time.
    #[error("{server} was silent for {waited_ms} ms while {awaited} was awaited")]
    Silent {
        /// Which server.
        server: ServerAddress,
        /// What was awaited.
        awaited: Awaited,
        /// For how long, in milliseconds.
        waited_ms: u64,
    },
    /// The server closed the connection.
    #[error("{server} closed the connection")]
    Closed {
        /// Which server.
        server: ServerAddress,
    },
    /// The connection broke, or what came was not this protocol.
    #[error("{server}: {source}")]
    Frame {
        /// Which server.
        server: ServerAddress,
        /// What came.
        source: FrameError,
    },
    /// The server answered something that is no answer to what was asked.
    #[error("{server} answered {awaited} with {found}: its version may be incompatible")]
    Nonsense {
        /// Which server.
        server: ServerAddress,
        /// What was awaited.
        awaited: &'static str,
        /// The kind of answer that came.
        found: &'static str,
    },
}

/// What a server owes on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Awaited {
    /// The connection itself.
    Connection,
    /// The answer to the hello.
    Welcome,
    /// The answer to a request.
    Answer,
}

impl std::fmt::Display for Awaited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Awaited::Connection => "a connection",
            Awaited::Welcome => "the welcome",
            Awaited::Answer => "an answer",
        })
    }
}

/// No session could be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No server of the search path said within the timeout that it is master, or the master never answered.
    #[error("no license server answered as master within {waited_ms} ms: {problems}")]
    NoMaster {
        /// How long it was tried, in milliseconds.
        waited_ms: u64,
        /// What each server said last.
        problems: String,
    },
    /// The servers said no.
    #[error("the license servers opened no session: {0}")]
    Denied(Denial),
    /// The server says that asking will not help.
    #[error("{server} opened no session: {what}")]
    Refused {
        /// Which server, as `port@host`.
        server: String,
        /// Its words.
        what: String,
    },
    /// The operating system gave no thread to a client whose calls wait ([`blocking`](crate::blocking)).
    #[error("no thread for the client: {0}")]
    Thread(std::io::Error),
    /// The operating system gave no random bytes for the session's token.
    #[error("no random bytes for the session's token: {0}")]
    NoRandomness(std::io::Error),
}

/// A request without a favourable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The servers said no, and why.
    #[error("{0}")]
    Denied(Denial),
    /// The server did nothing, and asking again will not help (an administrator's request without proof, say).
    #[error("{what} was refused: {reason}")]
    Refused {
        /// What was asked.
        what: String,
        /// The server's words.
        reason: String,
    },
    /// Nothing was done: the rule that allows it sleeps until all servers know it and have agreed on it.
    #[error(
        "{what} needs edition {needed} of the rules, which does not apply yet: upgrade all servers, then `licensectl upgrade \
         --finish`"
    )]
    NeedsEdition {
        /// What was asked.
        what: String,
        /// What allows it.
        needed: Edition,
    },
    /// The request was sent and may or may not have been done: no definite answer came. If seats were granted
    /// after all, the client gives them back as soon as it learns of it.
    #[error("{what} may or may not have been done: {reason}")]
    Unknown {
        /// What was asked.
        what: String,
        /// Why there is no answer.
        reason: String,
    },
    /// The request was not sent and will not be: nothing was done.
    #[error(
        "{what} was not sent within {waited_ms} ms, because no master could be reached or too much was under way"
    )]
    NotSent {
        /// What was asked.
        what: String,
        /// How long it waited, in milliseconds.
        waited_ms: u64,
    },
    /// The session is gone and its seats with it; nothing was done. Open a new session with a new
    /// [`Client`](crate::Client).
    #[error("session {session} is gone and its seats with it: connect again")]
    SessionLost {
        /// The session.
        session: SessionId,
    },
    /// Too many requests of this client wait; nothing was done.
    #[error("{limit} requests of this client are waiting already: wait for some of them first")]
    Busy {
        /// How many may wait.
        limit: usize,
    },
    /// The request is longer than any sensible one; nothing was done.
    #[error("a request of {bytes} bytes was not sent, {limit} are accepted: shorten its texts")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
        /// What is accepted.
        limit: usize,
    },
    /// The client belongs to the process that connected it, and this one is its child; nothing was done.
    #[error("this client belongs to process {owner}, not to its child: connect after the fork")]
    OtherProcess {
        /// The process that connected.
        owner: u32,
    },
    /// [`Client::close`](crate::Client::close) was called before; nothing was done.
    #[error("the client was closed: connect again")]
    Closed,
}
