//! Services whose servers have a [`Node`] inside: what is claimed of them all, and the way to put a daemon of one's own to the
//! test with nothing but what is its own.

pub(crate) mod client;
pub mod names;
mod served;
pub(crate) mod watch;

use licensing_core::id::{LogIndex, Role};
use licensing_core::state::State;
use licensing_raft::Node;

pub use client::HouseClient;
pub use served::{NodeService, Nodes};
pub(crate) use watch::Watch;

/// A server that has a node inside.
pub trait HasNode {
    /// The node.
    fn node(&self) -> &Node;
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
