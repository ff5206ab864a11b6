//! How the real client library reaches simulated servers.

use std::io;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use licensing_client::ServerAddress;
use licensing_client::dial::{Dial, Stream as ClientStream, TokenSource};
use licensing_core::id::{Role, Token};
use tokio::time::timeout;

use super::overheard::Sniffed;
use crate::simulation::host::FIRST_PORT;
use crate::simulation::network::{End, Network};
use crate::simulation::random::Stream;

/// The operator's number among the clients.
pub(super) const OPERATOR: u32 = 999_999;

/// Connections of one client.
#[derive(Clone)]
pub(super) struct Dialing {
    network: Network,
    from: End,
    sniffed: Sniffed,
}

impl Dialing {
    pub(super) fn new(network: Network, from: End, sniffed: Sniffed) -> Dialing {
        Dialing { network, from, sniffed }
    }
}

impl Dial for Dialing {
    fn dial<'a>(&'a self, address: &'a ServerAddress) -> BoxFuture<'a, io::Result<Box<dyn ClientStream>>> {
        async move {
            let to = Role::from_number(u64::from(address.port.saturating_sub(FIRST_PORT)));
            let to = to.ok_or(io::ErrorKind::ConnectionRefused)?;
            let connecting = self.network.connect(self.from, to);
            let stream = timeout(licensing_client::dial::DIAL_LIMIT, connecting)
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(Box::new(self.sniffed.clone().listen_in(stream)) as Box<dyn ClientStream>)
        }
        .boxed()
    }
}

/// Secrets from the run's seed.
pub(super) struct Tokens(pub(super) Stream);

impl TokenSource for Tokens {
    fn token(&self) -> io::Result<Token> {
        let mut token = [0; 16];
        token.copy_from_slice(&self.0.bytes()[..16]);
        Ok(Token(token))
    }
}
