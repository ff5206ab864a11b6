//! How the real client library reaches simulated servers, and is overheard.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use licensing_client::ServerAddress;
use licensing_client::dial::{Dial, Stream as ClientStream};
use licensing_core::id::Role;

use super::overheard::Sniffed;
use crate::simulation::host::FIRST_PORT;
use crate::simulation::nodes::client::Way;

/// The operator's number among the clients.
pub(super) const OPERATOR: u32 = 999_999;

/// The number of those who take servers at their word.
pub(super) const SCEPTIC: u32 = 999_997;

/// The number of those who ask for what they have no right to.
pub(super) const STRANGER: u32 = 999_995;

/// Connections of one client.
#[derive(Clone)]
pub(super) struct Dialing {
    way: Way,
    sniffed: Sniffed,
    balancer: Option<Balancer>,
}

/// Gives each connection to the next server in turn, whoever is master, whatever address was asked for.
#[derive(Clone)]
struct Balancer(Arc<AtomicU64>);

impl Balancer {
    fn of(turn: u64) -> Role {
        Role::ALL[(turn % 3) as usize]
    }

    fn choose(&self) -> Role {
        Balancer::of(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

impl Dialing {
    pub(super) fn new(way: Way, sniffed: Sniffed) -> Dialing {
        Dialing { way, sniffed, balancer: None }
    }

    /// All of them go through a load balancer, the first one to this server.
    pub(super) fn balanced(self, first: Role) -> Dialing {
        Dialing { balancer: Some(Balancer(Arc::new(AtomicU64::new(first.place() as u64)))), ..self }
    }

    /// The server that the balancer gave the newest connection to.
    pub(super) fn newest(&self) -> Option<Role> {
        let turns = self.balancer.as_ref()?.0.load(Ordering::SeqCst);
        Some(Balancer::of(turns.checked_sub(1)?))
    }
}

impl Dial for Dialing {
    fn dial<'a>(&'a self, address: &'a ServerAddress) -> BoxFuture<'a, io::Result<Box<dyn ClientStream>>> {
        async move {
            let stream = match &self.balancer {
                Some(balancer) => self.way.to(&listens_at(balancer.choose())).await?,
                None => self.way.to(address).await?,
            };
            Ok(Box::new(self.sniffed.clone().listen_in(stream)) as Box<dyn ClientStream>)
        }
        .boxed()
    }
}

/// Where a server listens.
pub(super) fn listens_at(role: Role) -> ServerAddress {
    ServerAddress::new("memory", FIRST_PORT + role.number() as u16)
}
