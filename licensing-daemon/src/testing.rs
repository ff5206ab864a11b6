//! For simulations: a server without a port, whose connections are handed to it one by one. Everything else is the
//! server that [`crate::Daemon`] runs, but for files: the license is what the configuration says.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use licensing_raft::testing::{Gate, MemoryDisk, SimulatedStream};
use licensing_raft::{Environment, Node};

use crate::builder::DaemonBuilder;
use crate::config::DaemonConfig;
use crate::daemon::RunError;
use crate::port;
use crate::port::far::Far;
use crate::server::Server;
use crate::status;

impl DaemonBuilder {
    /// A daemon without a port, on a simulated disk and a paused clock; see [`Node::start_simulated`].
    ///
    /// # Errors
    ///
    /// Something is missing or cannot work.
    pub async fn start_simulated(
        self,
        environment: Environment,
        disk: &MemoryDisk,
        gate: &Gate,
    ) -> Result<SimulatedServer, RunError> {
        let config = self.config()?;
        let node = Node::start_simulated(config.node.clone(), environment, disk, gate).await?;
        Ok(SimulatedServer::new(node, &config))
    }
}

/// A server around a node that was started elsewhere. Clones are the same server.
#[derive(Clone)]
pub struct SimulatedServer {
    server: Arc<Server>,
}

impl SimulatedServer {
    /// A server that does nothing until [`SimulatedServer::follow`] runs and connections come.
    pub fn new(node: Node, config: &DaemonConfig) -> SimulatedServer {
        SimulatedServer { server: Arc::new(Server::new(node, config)) }
    }

    /// What a server does without being asked: tells its clients who is master, installs the first license. Runs until
    /// it is dropped.
    pub fn follow(&self) -> impl Future<Output = ()> + Send + use<> {
        status::follow_mastership(self.server.clone())
    }

    /// Serves one connection, of a client or a peer, until it ends.
    pub fn serve<S: Into<SimulatedStream>>(
        &self,
        stream: S,
        from: SocketAddr,
    ) -> impl Future<Output = ()> + Send + use<S> {
        port::serve(self.server.clone(), stream.into(), Far(from))
    }

    /// The node inside.
    pub fn node(&self) -> &Node {
        &self.server.node
    }

    /// Client connections there are.
    pub fn open_connections(&self) -> usize {
        self.server.open_connections()
    }

    /// Lets go of all clients, as a server does that has stopped.
    pub fn close_connections(&self) {
        self.server.close_connections();
    }
}
