//! What may be asked of the state, and the envelope that carries it through the log.
//!
//! Time enters the state only here: `Proposal::at` is the master's idea of the time, and [`crate::state::State`]
//! never lets it go back.

use serde::{Deserialize, Serialize};

use crate::id::{Handle, LogIndex, RequestId, Role, Seats, SessionId, Timestamp, Token};

/// Longest user, host, display, feature or version text accepted, in bytes: what fits one status line.
pub const MAX_TEXT_BYTES: usize = 256;

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

/// What a session can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Take seats of a feature.
    Checkout {
        /// Feature name as in the license file.
        feature: String,
        /// Version needed; granted when it is not above the licensed version.
        version: String,
        /// How many seats, at least 1, all or none.
        seats: Seats,
    },
    /// Give seats back.
    Checkin {
        /// Which ones.
        handle: Handle,
        /// The secret of the session that holds them, when that is not the asking session.
        owner: Option<Token>,
    },
    /// Take seats away from whoever holds them (`lmremove`). The server lets only administrators ask.
    Remove(Removal),
    /// Keep a server from being master, or allow it again.
    Maintain {
        /// Which server.
        role: Role,
        /// `true` keeps it from being master.
        on: bool,
    },
    /// Ask for a certain master, or leave it to the rules again.
    PreferMaster {
        /// `None` leaves it to the rules.
        role: Option<Role>,
    },
}

/// Which checkouts to take away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Removal {
    /// The one with this handle.
    Handle(Handle),
    /// All that match these four, as `lmremove feature user host display`.
    Holder {
        /// Feature name.
        feature: String,
        /// User of the session.
        user: String,
        /// Host of the session.
        host: String,
        /// Display of the session.
        display: String,
    },
}

/// Who a client says it is; shown by status commands, matched by options.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// User name; may contain blanks.
    pub user: String,
    /// Host the application runs on.
    pub host: String,
    /// Display or terminal, `/dev/tty` when there is none.
    pub display: String,
    /// Process id on that host.
    pub pid: u32,
}
