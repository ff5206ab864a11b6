//! What servers showed, and which clients fell silent.

use std::collections::BTreeMap;

use licensing_core::id::{Handle, LogIndex, Role, Seats, SessionId};
use serde::{Deserialize, Serialize};

/// The whole state as one server showed it at one of its log indexes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Which server.
    pub server: Role,
    /// When it was asked.
    pub asked_us: u64,
    /// When its answer was there.
    pub answered_us: u64,
    /// Whether it said that it is master.
    pub master: bool,
    /// What it had applied.
    pub applied: LogIndex,
    /// The edition of the rules it applies, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<u32>,
    /// Seats of each feature: licensed and in use.
    pub features: BTreeMap<String, Count>,
    /// The checkouts.
    pub held: Vec<Held>,
}

/// Whether a server said that it is master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Which server.
    pub server: Role,
    /// When it was asked.
    pub asked_us: u64,
    /// When its answer was there.
    pub answered_us: u64,
    /// What it said.
    pub master: bool,
}

/// State time at a log index, as an answer or a state said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Date {
    /// Which entry.
    pub index: LogIndex,
    /// Milliseconds since 1970 UTC.
    pub at_ms: u64,
}

/// A client that fell silent for ever: its seats go back by themselves, not too early and not too late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vanished {
    /// Which client.
    pub client: u32,
    /// Until then it keeps everything: its last certain sign of life and the grace.
    pub kept_until_us: u64,
    /// From then on it has nothing any more; `None` when the run ended before.
    pub gone_by_us: Option<u64>,
}

/// Seats of a feature as a server counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Licensed.
    pub issued: Seats,
    /// Out.
    pub in_use: Seats,
}

/// One checkout as a server shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its name.
    pub handle: Handle,
    /// Who holds it.
    pub session: SessionId,
    /// Of which feature.
    pub feature: String,
    /// How many seats.
    pub seats: Seats,
    /// Its vendor data, if it has some and that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}
