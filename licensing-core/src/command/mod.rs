//! What may be asked of the state, and the envelope that carries it through the log.
//!
//! Time enters the state only here: `Proposal::at` is the master's idea of the time, and [`crate::state::State`]
//! never lets it go back.

mod action;
mod identity;

use serde::{Deserialize, Serialize};

use crate::id::{LogIndex, RequestId, SessionId, Timestamp, Token};

pub use action::{Action, Removal};
pub use identity::{Identity, MAX_NAME_BYTES};

/// A command with the master's time on it: one entry of the replicated log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// When the master proposed it.
    pub at: Timestamp,
    /// What is asked.
    pub command: Command,
}

/// Everything that can change the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Make this license file the one that is served. Proposed by the master when its file differs.
    Install {
        /// The whole text of the license file.
        license: String,
    },
    /// Start a session. Asking again with the same token gives the same session, so it is safe to resend.
    OpenSession {
        /// Secret of the session, chosen by the client.
        token: Token,
        /// Who the client says it is.
        identity: Identity,
    },
    /// End a session and return all its seats.
    CloseSession {
        /// Which one.
        session: SessionId,
        /// Its secret.
        token: Token,
    },
    /// End sessions whose grace has run out without a sign of life. Proposed by the master only.
    Expire {
        /// The silent sessions.
        sessions: Vec<SessionId>,
        /// The master's applied index when it judged them: a session that did anything later is kept.
        judged_at: LogIndex,
    },
    /// A numbered request of a session: answered once, however often it is sent.
    Call(Call),
    /// Time passes and nothing else happens.
    Tick,
}

/// A numbered request of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Whose request it is.
    pub session: SessionId,
    /// The session's secret.
    pub token: Token,
    /// The client's number for it; resending uses the same number.
    pub request: RequestId,
    /// Every request up to this one has been answered as far as the client is concerned: its answer may be forgotten.
    pub acknowledged: RequestId,
    /// What is asked.
    pub action: Action,
}
