//! Services whose servers have a [`Node`] inside: what is claimed of them all, and the way to put a daemon of one's own to the
//! test with nothing but what is its own.

mod bounds;
mod calm;
pub(crate) mod client;
pub mod names;
mod rest;
mod served;
pub(crate) mod watch;

use std::time::Duration;

use licensing_core::id::{LogIndex, Role, Seats};
use licensing_core::state::State;
use licensing_raft::{Node, NodeConfig};

use super::host::Host;
use super::service::{Service, Shown};
use crate::history::{Count, Held};

pub use client::HouseClient;
pub use served::{NodeService, Nodes};
pub(crate) use watch::Watch;

/// A server that has a node inside.
pub trait HasNode {
    /// The node.
    fn node(&self) -> &Node;

    /// Client connections it has; [`None`] if it does not count them.
    fn open_connections(&self) -> Option<usize> {
        None
    }
}

impl HasNode for Node {
    fn node(&self) -> &Node {
        self
    }
}

impl HasNode for licensing_daemon::testing::SimulatedServer {
    fn node(&self) -> &Node {
        self.node()
    }

    fn open_connections(&self) -> Option<usize> {
        Some(self.open_connections())
    }
}

/// A service whose servers have nodes inside.
pub(crate) trait AroundNodes: Service<Server: HasNode> {}

impl<S: Service<Server: HasNode>> AroundNodes for S {}

/// Grace of a session: shorter than the default, so that ends of sessions are seen often.
pub const GRACE: Duration = Duration::from_secs(6);

/// Entries after which a snapshot is made: few, so that there are many.
const SNAPSHOT_EVERY: u64 = 200;

/// Makes happen in thirty seconds what takes hours elsewhere, and to a small state what happens to a large one: on every other host
/// entries, snapshots, licenses and ends of sessions go in small pieces.
pub(crate) fn hasten(config: &mut NodeConfig, host: &Host) {
    let random = host.random("pieces");
    if random.chance(50) {
        config.pieces.read_bytes = 1 + random.below(400) as usize;
        config.pieces.chunk_bytes = 20 + random.below(2_000) as usize;
        config.pieces.part_bytes = 50 + random.below(400) as usize;
        config.pieces.sessions = 1;
    }
    config.snapshot_every = SNAPSHOT_EVERY;
    config.log_kept = SNAPSHOT_EVERY;
    config.failback_hold = Duration::from_secs(1);
    config.session_grace = GRACE;
}

/// What a server shows, with the features that have a name in histories.
pub(crate) fn show(state: &State, named: impl Fn(&str, &str) -> Option<String>) -> Shown {
    let count = |issued: Option<Seats>, in_use| Count { issued: issued.unwrap_or(Seats(u32::MAX)), in_use };
    let features = state
        .pools()
        .filter_map(|pool| Some((named(pool.vendor, pool.feature)?, count(pool.licensed, pool.in_use))));
    let held = state.checkouts().map(|checkout| Held {
        handle: checkout.handle,
        session: checkout.keeper.session().unwrap_or_default(),
        feature: named(checkout.vendor, checkout.feature).unwrap_or_else(|| "unasked".to_owned()),
        seats: checkout.seats,
        data: (!checkout.vendor_data.is_empty())
            .then(|| String::from_utf8_lossy(checkout.vendor_data).into_owned()),
    });
    Shown {
        applied: state.last_index(),
        at: Some(state.clock()),
        edition: Some(state.edition().0),
        features: features.collect(),
        held: held.collect(),
    }
}

type Running<S> = [Option<S>; 3];

/// Which of these serves.
pub(crate) fn master<S: HasNode>(servers: &Running<S>) -> Option<Role> {
    let serves = |role: &Role| {
        servers[role.place()].as_ref().is_some_and(|server| server.node().mastership().borrow().serving)
    };
    Role::ALL.into_iter().find(serves)
}

/// Whether all are full members, so that the disk of one may be lost.
pub(crate) fn can_spare_one<S: HasNode>(roles: &[Role], servers: &Running<S>) -> bool {
    let is_member = |role: &Role| {
        let server = servers[role.place()].as_ref();
        server.is_some_and(|server| server.node().servers()[role.place()].member)
    };
    roles.len() > 1 && roles.iter().all(is_member)
}

/// Whether the primary serves and all are level; otherwise where each stands.
pub(crate) fn settled<S: HasNode>(roles: &[Role], servers: &Running<S>) -> Result<(), String> {
    let nodes: Vec<Option<&Node>> =
        roles.iter().map(|role| servers[role.place()].as_ref().map(HasNode::node)).collect();
    let index = |node: &Node| -> LogIndex { node.look(State::last_index) };
    let serves = nodes[0].is_some_and(|primary| primary.mastership().borrow().serving);
    let level = nodes.iter().all(|node| node.map(index) == nodes[0].map(index));
    if serves && level {
        return Ok(());
    }
    let words = roles.iter().zip(nodes).map(|(role, node)| match node {
        Some(node) => format!("{role}: {:?} at {}", *node.mastership().borrow(), index(node)),
        None => format!("{role}: down"),
    });
    Err(words.collect::<Vec<_>>().join("; "))
}
