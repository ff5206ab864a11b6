//! What the service is made of.

use std::sync::{Mutex, MutexGuard, PoisonError};

use licensing_daemon::testing::SimulatedServer;
use licensing_raft::Node;

use super::counting::Counting;
use super::kind::Kind;
use super::licenses::Days;
use super::overheard::Sniffed;
use super::undone::Undone;
use crate::simulation::nodes::{HasNode, Watch};

/// The reference server.
#[derive(Default)]
pub struct Triad {
    pub(super) kind: Kind,
    pub(super) watch: Mutex<Watch>,
    pub(super) duplicates: Sniffed,
    pub(super) counting: Counting,
    pub(super) days: Days,
    pub(super) undone: Undone,
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

impl HasNode for Server {
    fn node(&self) -> &Node {
        self.simulated.node()
    }

    fn open_connections(&self) -> Option<usize> {
        self.simulated.open_connections().into()
    }
}
