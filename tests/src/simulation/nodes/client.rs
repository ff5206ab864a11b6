//! The house's client library in a simulated run, for daemons that speak its protocol.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use licensing_client::dial::{DIAL_LIMIT, Dial, Stream as ClientStream, TokenSource};
use licensing_client::{Client as LicensingClient, ClientConfig, RequestError, ServerAddress};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{Role, SessionId, Token};
use licensing_core::outcome::Answer;
use tokio::io::DuplexStream;
use tokio::time::timeout;

use crate::history::{Kind, Told, vendor_data};
use crate::simulation::host::FIRST_PORT;
use crate::simulation::network::{End, Network};
use crate::simulation::random::Stream;
use crate::simulation::service::{Client, Service, Site};
use crate::workload::told;

/// A client of the house's library. Clones share its session.
#[derive(Debug, Clone)]
pub struct HouseClient {
    number: u32,
    client: LicensingClient,
}

impl HouseClient {
    /// Opens a session with three servers; [`None`] when none answered, which is a violation.
    pub async fn connect<S: Service>(site: &Site<S>, number: u32) -> Option<HouseClient> {
        let search_path = "2001@memory,2002@memory,2003@memory".parse().expect("a search path");
        let (config, tokens) = (config_of(number, search_path), tokens_of(site, number));
        let way = Way { network: site.network.clone(), from: End::Client(number) };
        match LicensingClient::connect_with(config, Arc::new(way), &tokens).await {
            Ok(client) => Some(HouseClient { number, client }),
            Err(error) => {
                site.fail("every client finds the master", error);
                None
            }
        }
    }

    /// Where a server sees an end: other servers and whoever administrates on its own machine, clients elsewhere.
    pub fn address_of(end: End) -> SocketAddr {
        let host = match end {
            End::Server(_) => Ipv4Addr::LOCALHOST,
            End::Client(number) => Ipv4Addr::from(0x0a00_0000 + number),
        };
        SocketAddr::new(IpAddr::V4(host), 1024)
    }
}

impl Client for HouseClient {
    fn session(&self) -> Option<SessionId> {
        Some(self.client.session())
    }

    async fn ask(&mut self, kind: &Kind) -> Told {
        let of_any = |feature: &str| (None, feature.to_owned());
        ask(&self.client, self.number, kind, of_any, |_| ()).await
    }
}

/// Asks as a client of this number does, and hands on every answer as it is. Every other client keeps data with its seats, once the rules allow it.
pub(crate) async fn ask(
    client: &LicensingClient,
    number: u32,
    kind: &Kind,
    named: impl Fn(&str) -> (Option<String>, String),
    heard: impl Fn(&Answer),
) -> Told {
    let Some(action) = action_of(kind, number, named) else {
        return Told::NotDone { why: "clients do not ask for that".to_owned() };
    };
    let keeps = number % 2 == 1;
    if let (Kind::Checkout { feature, seats }, true) = (kind, keeps) {
        match client.call(with(action.clone(), vendor_data::at_first(number, feature, *seats))).await {
            Err(RequestError::NeedsEdition { .. }) => {}
            answered => return said(told(answered.inspect(&heard)), true),
        }
    }
    said(told(client.call(action).await.inspect(&heard)), false)
}

/// The same, with whether something is kept with the seats.
pub(crate) fn said(told: Told, kept: bool) -> Told {
    match told {
        Told::Granted { index, handle, .. } => Told::Granted { index, handle, with_data: Some(kept) },
        other => other,
    }
}

fn with(action: Action, data: String) -> Action {
    match action {
        Action::Checkout { vendor, feature, version, seats } => {
            Action::checkout(vendor, feature, version, seats, data.into_bytes())
        }
        other => other,
    }
}

/// What a client asks for, of the vendor and under the name that its feature has in the license; nothing for what clients do
/// not ask.
fn action_of(kind: &Kind, number: u32, named: impl Fn(&str) -> (Option<String>, String)) -> Option<Action> {
    match kind {
        Kind::Checkout { feature, seats } => {
            let (vendor, feature) = named(feature);
            Some(Action::Checkout { vendor, feature, version: "1.0".to_owned(), seats: *seats })
        }
        Kind::Checkin { handle } => Some(Action::Checkin { handle: *handle, owner: None }),
        Kind::SetData { handle } => Some(Action::SetVendorData {
            handle: Some(*handle),
            data: vendor_data::later(number, *handle).into_bytes(),
        }),
        Kind::Open
        | Kind::GiveBack { .. }
        | Kind::Close
        | Kind::Count { .. }
        | Kind::Remove { .. }
        | Kind::Install { .. }
        | Kind::Relicense { .. } => None,
    }
}

/// What a client of this number says of itself. It may be made in the middle of all faults, so it has all the time it likes.
pub(crate) fn config_of(number: u32, search_path: licensing_client::SearchPath) -> ClientConfig {
    let mut config = ClientConfig::new(search_path);
    config.identity = Identity {
        user: format!("user{number}"),
        host: "cad-17".to_owned(),
        display: ":0".to_owned(),
        pid: number,
        project: String::new(),
    };
    config.connect_timeout = config.reconnect_timeout;
    config
}

pub(crate) fn tokens_of<S: Service>(site: &Site<S>, number: u32) -> Tokens {
    Tokens(site.random(&format!("secrets of client {number}")))
}

/// Secrets from the run's seed.
pub(crate) struct Tokens(pub(crate) Stream);

impl TokenSource for Tokens {
    fn token(&self) -> io::Result<Token> {
        let mut token = [0; 16];
        token.copy_from_slice(&self.0.bytes()[..16]);
        Ok(Token(token))
    }
}

/// How one end reaches simulated servers.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) network: Network,
    pub(crate) from: End,
}

impl Way {
    pub(crate) async fn to(&self, address: &ServerAddress) -> io::Result<DuplexStream> {
        let to = Role::from_number(u64::from(address.port.saturating_sub(FIRST_PORT)));
        let to = to.ok_or(io::ErrorKind::ConnectionRefused)?;
        let connecting = self.network.connect(self.from, to);
        timeout(DIAL_LIMIT, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

impl Dial for Way {
    fn dial<'a>(&'a self, address: &'a ServerAddress) -> BoxFuture<'a, io::Result<Box<dyn ClientStream>>> {
        async move { Ok(Box::new(self.to(address).await?) as Box<dyn ClientStream>) }.boxed()
    }
}
