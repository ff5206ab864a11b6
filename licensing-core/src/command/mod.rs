//! What may be asked of the state, and the envelope that carries it through the log.
//!
//! Time enters the state only here: `Proposal::at` is the master's idea of the time, and [`crate::state::State`]
//! never lets it go back.

mod action;
mod identity;
mod install;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::edition::Edition;
use crate::id::{LogIndex, RequestId, SessionId, Timestamp, Token};

pub use action::{ANY_VERSION, Action, Extra, Removal};
pub use identity::{Holder, Identity, MAX_NAME_BYTES};
pub use install::Install;

/// Longest part of a license that is staged, in bytes: an entry that takes the disks and the network a few milliseconds,
/// so that no checkout waits noticeably behind it.
pub const MAX_PART_BYTES: usize = 256 << 10;

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
    /// Serve this license for its vendor. Proposed by the master when its files differ.
    Install(Install),
    /// Start a session. Asking again with the same token gives the same session, so it is safe to resend.
    OpenSession {
        /// Secret of the session, chosen by the client.
        token: Token,
        /// Who the client says it is.
        identity: Identity,
        /// Where its connection came from, as the server saw it.
        address: Option<IpAddr>,
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
    /// Keep a part of a license that is too long for one entry, until an [`Install`] makes all of them valid.
    Stage {
        /// SHA-256 of all parts behind each other: which license this is a part of.
        digest: Digest,
        /// Which part, from 0. Part 0 begins anew, whatever was staged before.
        part: u32,
        /// The part, at most [`MAX_PART_BYTES`].
        bytes: Vec<u8>,
    },
    /// Apply the rules of this edition from now on. Proposed by the master once all three servers know it.
    RaiseEdition {
        /// The edition.
        to: Edition,
    },
    /// Keep the master from raising the edition by itself, or let it again.
    HoldEdition {
        /// `true` holds it.
        on: bool,
    },
    /// Set a key of the triad's vendor data. From edition 3 of the rules on.
    SetTriadData {
        /// Which one: printable, 1 to [`MAX_NAME_BYTES`] bytes.
        key: String,
        /// `None` removes it.
        value: Option<Vec<u8>>,
        /// Do it only if this entry set what is there now, or if nothing is there and this is 0.
        believed: Option<LogIndex>,
    },
}

impl Command {
    /// The edition of the rules from which on it may be proposed: servers of before it cannot read it.
    pub fn needs(&self) -> Edition {
        match self {
            Command::Call(call) => call.action.needs(),
            Command::SetTriadData { .. } => Edition::VENDOR_DATA,
            Command::Install(_)
            | Command::OpenSession { .. }
            | Command::CloseSession { .. }
            | Command::Expire { .. }
            | Command::Tick
            | Command::Stage { .. }
            | Command::RaiseEdition { .. }
            | Command::HoldEdition { .. } => Edition::FIRST,
        }
    }
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
