//! A running server of the reference service.

use licensing_daemon::testing::SimulatedServer;
use licensing_raft::Node;

/// A running server.
#[derive(Clone)]
pub struct Server {
    pub(crate) simulated: SimulatedServer,
}

impl Server {
    /// The node inside.
    pub fn node(&self) -> &Node {
        self.simulated.node()
    }
}
