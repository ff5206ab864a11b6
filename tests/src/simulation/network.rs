//! The network between simulated servers: every message takes a while, and each direction between two servers can be
//! cut without a word to either.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use licensing_core::id::Role;
use licensing_raft::environment::{Dialer, Dialing, Stream as PeerStream};
use licensing_raft::watch::{Watched, Watcher};
use licensing_raft::{Node, PEER_PREAMBLE, ServerAddress};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};

use super::random::Stream;

/// Bytes under way on one connection in one direction, as a socket buffer holds them.
const BUFFER: usize = 256 << 10;

/// Directions that are cut.
pub(crate) type Cuts = BTreeSet<(Role, Role)>;

/// The network of one run; clones are the same.
#[derive(Clone)]
pub(crate) struct Network {
    nodes: Arc<Mutex<[Option<Node>; 3]>>,
    cuts: Arc<Watched<Cuts>>,
    random: Stream,
}

impl Network {
    pub(crate) fn new(random: Stream) -> Network {
        Network { nodes: Arc::default(), cuts: Arc::new(Watched::new(Cuts::new())), random }
    }

    /// The node that answers for a server, if it is up.
    pub(crate) fn node(&self, role: Role) -> Option<Node> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)[role.place()].clone()
    }

    pub(crate) fn set_node(&self, role: Role, node: Option<Node>) {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)[role.place()] = node;
    }

    /// Cuts and heals as `change` says.
    pub(crate) fn change_cuts(&self, change: impl FnOnce(&mut Cuts)) {
        self.cuts.send_if_modified(|cuts| {
            change(cuts);
            true
        });
    }

    pub(crate) fn dialer(&self, from: Role) -> Arc<dyn Dialer> {
        Arc::new(SimulatedDialer { from, network: self.clone() })
    }

    async fn carry(
        self,
        mut from: ReadHalf<DuplexStream>,
        mut to: WriteHalf<DuplexStream>,
        way: (Role, Role),
    ) {
        let mut cuts: Watcher<Cuts> = self.cuts.subscribe();
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let delay = if self.random.chance(2) { 30_000 } else { 400 };
            tokio::time::sleep(self.random.between_us(50, delay)).await;
            if cuts.wait_for(|cuts| !cuts.contains(&way)).await.is_err() {
                return;
            }
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
        if cuts.wait_for(|cuts| !cuts.contains(&way)).await.is_ok() {
            let _ = to.shutdown().await;
        }
    }
}

struct SimulatedDialer {
    from: Role,
    network: Network,
}

impl Dialer for SimulatedDialer {
    fn dial(&self, address: &ServerAddress) -> Dialing {
        let (from, network) = (self.from, self.network.clone());
        let to = Role::from_number(u64::from(address.port) - 2000);
        Box::pin(async move {
            let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
            tokio::time::sleep(network.random.between_us(50, 400)).await;
            let to = to.ok_or_else(refused)?;
            let target = network.node(to).ok_or_else(refused)?;
            let (near, near_wire) = tokio::io::duplex(BUFFER);
            let (mut far, far_wire) = tokio::io::duplex(BUFFER);
            let (from_near, to_near) = tokio::io::split(near_wire);
            let (from_far, to_far) = tokio::io::split(far_wire);
            tokio::spawn(network.clone().carry(from_near, to_far, (from, to)));
            tokio::spawn(network.carry(from_far, to_near, (to, from)));
            tokio::spawn(async move {
                let mut preamble = [0; 4];
                if far.read_exact(&mut preamble).await.is_ok() && preamble == PEER_PREAMBLE {
                    target.accept_peer(far, from.to_string());
                }
            });
            Ok(Box::new(near) as Box<dyn PeerStream>)
        })
    }
}
