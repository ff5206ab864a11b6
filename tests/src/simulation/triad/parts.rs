//! What the service is made of: one running server, and what the harness has seen of all of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use licensing_core::edition::Edition;
use licensing_core::id::{LogIndex, Role, Timestamp};
use licensing_daemon::testing::SimulatedServer;
use licensing_raft::Node;

use super::kind::Kind;
use super::overheard::Sniffed;

/// The reference server.
#[derive(Default)]
pub struct Triad {
    pub(super) kind: Kind,
    pub(super) watch: Mutex<Watch>,
    pub(super) duplicates: Sniffed,
}

impl Triad {
    /// The servers of this kind.
    pub fn of(kind: Kind) -> Triad {
        Triad { kind, ..Triad::default() }
    }

    pub(super) fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running server.
#[derive(Clone)]
pub struct Server {
    pub(super) simulated: SimulatedServer,
}

impl Server {
    /// The node inside.
    pub fn node(&self) -> &Node {
        self.simulated.node()
    }
}

/// What has been seen so far.
#[derive(Default)]
pub(super) struct Watch {
    /// Digest of the state at an index, whoever showed it first.
    pub(super) digests: BTreeMap<LogIndex, String>,
    pub(super) clocks: BTreeMap<Role, (LogIndex, Timestamp)>,
    pub(super) last_master: Option<Role>,
    /// Counted of each server's present life.
    pub(super) counted: [(u64, u64); 3],
    /// The newest edition of the rules that any server applies.
    pub(super) edition: Edition,
    /// Which servers have run in a version that knows all rules.
    pub(super) has_known: [bool; 3],
    /// Servers that have stopped as too old before anybody was seen to apply what they do not know.
    pub(super) stopped_early: Vec<String>,
}
