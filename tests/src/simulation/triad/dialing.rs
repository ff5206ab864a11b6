//! How the real client library reaches simulated servers, and is overheard.

use std::io;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use licensing_client::ServerAddress;
use licensing_client::dial::{Dial, Stream as ClientStream};

use super::overheard::Sniffed;
use crate::simulation::nodes::client::Way;

/// The operator's number among the clients.
pub(super) const OPERATOR: u32 = 999_999;

/// The number of those who take servers at their word.
pub(super) const SCEPTIC: u32 = 999_997;

/// Connections of one client.
#[derive(Clone)]
pub(super) struct Dialing {
    way: Way,
    sniffed: Sniffed,
}

impl Dialing {
    pub(super) fn new(way: Way, sniffed: Sniffed) -> Dialing {
        Dialing { way, sniffed }
    }
}

impl Dial for Dialing {
    fn dial<'a>(&'a self, address: &'a ServerAddress) -> BoxFuture<'a, io::Result<Box<dyn ClientStream>>> {
        async move {
            let stream = self.way.to(address).await?;
            Ok(Box::new(self.sniffed.clone().listen_in(stream)) as Box<dyn ClientStream>)
        }
        .boxed()
    }
}
