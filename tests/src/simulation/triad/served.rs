//! The reference server as a service under test: real nodes, the real client port, the real client library. Only
//! sockets, disks and clocks are the simulation's.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use licensing_client::protocol::Upgrade;
use licensing_client::{Client as LicensingClient, ClientConfig};
use licensing_core::command::{Action, Identity};
use licensing_core::edition::{Edition, UnknownEdition};
use licensing_core::id::{Role, Seats, SessionId};
use licensing_core::license::License;
use licensing_core::state::State;
use licensing_daemon::testing::SimulatedServer;
use licensing_daemon::{DaemonConfig, LicenseFile};
use licensing_raft::{Node, NodeConfig};

use super::dialing::{Dialing, OPERATOR, Tokens};
use super::parts::{Server, Triad};
use super::{duplicates, licenses, operator};
use crate::history::{Count, Held, Kind, Later, Told};
use crate::simulation::host::Host;
use crate::simulation::network::End;
use crate::simulation::service::{Client, Servers, Service, Shown, Site};
use crate::simulation::versions;
use crate::workload::told;

/// Grace of a session here: shorter than the default, so that ends of sessions are seen often.
const GRACE: Duration = Duration::from_secs(6);

/// Entries after which a snapshot is made: few, so that there are many.
const SNAPSHOT_EVERY: u64 = 200;

/// How long all servers must have known a newer edition before it applies: shorter than a run, longer than most troubles.
const UPGRADE_AFTER: Duration = Duration::from_secs(5);

impl Service for Triad {
    type Server = Server;
    type Client = TriadClient;

    fn roles(&self) -> &'static [Role] {
        self.kind.roles()
    }

    fn licensed(&self) -> BTreeMap<String, Seats> {
        licenses::licensed()
    }

    fn later(&self) -> BTreeMap<String, Later> {
        licenses::later()
    }

    fn has_versions(&self) -> bool {
        self.kind.has_versions()
    }

    async fn start(&self, host: &Host) -> Result<Server, String> {
        // A server of the version before has one vendor's file: it knows of no more.
        let first = file("demo.lic", licenses::first(self.kind, 1));
        let mut node_config =
            NodeConfig::from_license(&first.license, host.role(), "memory").expect("the license has servers");
        let mut files = vec![first];
        if host.is_older() {
            node_config.known_edition = Edition::FIRST;
        } else {
            files.push(file("zeta.lic", licenses::second(self.kind)));
        }
        node_config.upgrade_after = UPGRADE_AFTER;
        node_config.snapshot_every = SNAPSHOT_EVERY;
        node_config.log_kept = SNAPSHOT_EVERY;
        node_config.failback_hold = Duration::from_secs(1);
        node_config.session_grace = GRACE;
        let node =
            Node::start_simulated(node_config.clone(), host.environment(), host.disk(), host.gate()).await;
        let config = DaemonConfig::new(node_config, files);
        let simulated = SimulatedServer::new(node.map_err(|error| error.to_string())?, &config);
        host.spawn(simulated.follow());
        let (serving, at) = (simulated.clone(), host.clone());
        let listener = move |stream, from| at.spawn(serving.serve(stream, address_of(from)));
        host.network().listen(host.role(), Arc::new(listener));
        let mut watch = self.watch();
        watch.counted[host.role().place()] = (0, 0);
        watch.has_known[host.role().place()] |= !host.is_older();
        Ok(Server { simulated })
    }

    async fn crash(&self, server: &Server) {
        server.node().crash().await;
    }

    async fn stop(&self, server: &Server) {
        server.node().stop(true).await;
        server.simulated.close_connections();
    }

    async fn client(&self, site: &Arc<Site<Triad>>, number: u32) -> Option<TriadClient> {
        let random = site.random(&format!("secrets of client {number}"));
        let mut config = ClientConfig::new(licenses::search_path(self.kind));
        config.identity = Identity {
            user: format!("user{number}"),
            host: "cad-17".to_owned(),
            display: ":0".to_owned(),
            pid: number,
            project: String::new(),
        };
        let dial = Dialing::new(site.network.clone(), End::Client(number), self.duplicates.clone());
        let client = LicensingClient::connect_with(config, Arc::new(dial), &Tokens(random)).await;
        match client {
            Ok(client) => Some(TriadClient { client }),
            Err(error) => {
                site.fail("every client finds the master", error);
                None
            }
        }
    }

    fn grace(&self) -> Option<Duration> {
        Some(GRACE)
    }

    fn show(&self, server: &Server) -> Option<Shown> {
        server.node().look(|state| {
            let count =
                |issued: Option<Seats>, in_use| Count { issued: issued.unwrap_or(Seats(u32::MAX)), in_use };
            let features = state.pools().filter_map(|pool| {
                let name = licenses::name_of(pool.vendor, pool.feature)?;
                Some((name.to_owned(), count(pool.licensed, pool.in_use)))
            });
            let held = state.checkouts().map(|checkout| Held {
                handle: checkout.handle,
                session: checkout.keeper.session().unwrap_or_default(),
                feature: licenses::name_of(checkout.vendor, checkout.feature).unwrap_or("unasked").to_owned(),
                seats: checkout.seats,
            });
            Some(Shown {
                applied: state.last_index(),
                edition: Some(state.edition().0),
                features: features.collect(),
                held: held.collect(),
            })
        })
    }

    fn master(&self, servers: &Servers<Triad>) -> Option<Role> {
        let serves = |role: &Role| {
            servers[role.place()].as_ref().is_some_and(|server| server.node().mastership().borrow().serving)
        };
        Role::ALL.into_iter().find(serves)
    }

    fn can_spare_one(&self, servers: &Servers<Triad>) -> bool {
        self.kind.roles().len() > 1
            && Role::ALL.into_iter().all(|role| {
                servers[role.place()]
                    .as_ref()
                    .is_some_and(|server| server.node().servers()[role.place()].member)
            })
    }

    fn failure(&self, server: &Server) -> Option<String> {
        server.node().failure().borrow().clone()
    }

    fn settled(&self, servers: &Servers<Triad>) -> Result<(), String> {
        let roles = self.kind.roles();
        let nodes: Vec<Option<&Node>> =
            roles.iter().map(|role| servers[role.place()].as_ref().map(Server::node)).collect();
        let index = |node: &Node| node.look(State::last_index);
        let serves = nodes[0].is_some_and(|primary| primary.mastership().borrow().serving);
        let level = nodes.iter().all(|node| node.map(index) == nodes[0].map(index));
        if serves && level && nodes[0].is_some() {
            return Ok(());
        }
        let words = roles.iter().zip(nodes).map(|(role, node)| match node {
            Some(node) => format!("{role}: {:?} at {}", *node.mastership().borrow(), index(node)),
            None => format!("{role}: down"),
        });
        Err(words.collect::<Vec<_>>().join("; "))
    }

    async fn agree(&self, site: &Site<Triad>) {
        operator::decide(site, Upgrade::Finish).await;
    }

    fn may_stop(&self, site: &Site<Triad>, role: Role, why: &str) -> bool {
        let (needed, known) = (Edition::NEWEST, Edition::FIRST);
        let is_too_old = why.contains(&UnknownEdition { needed, known }.to_string());
        if !is_too_old || !site.host(role).is_older() {
            return false;
        }
        let mut watch = self.watch();
        watch.editions(site);
        if watch.edition < needed {
            // Whoever applied it may have died before anybody looked.
            watch.stopped_early.push(format!("the {role} at {} us", site.recorder.now_us()));
        }
        true
    }

    fn end(&self, site: &Site<Triad>) {
        self.watch().end(site);
    }

    fn look(&self, site: &Site<Triad>) {
        let mut watch = self.watch();
        watch.masters(site);
        watch.editions(site);
        for role in Role::ALL {
            if let Some(server) = &site.servers()[role.place()] {
                watch.count(site, role, server);
                watch.replica(site, role, server);
            }
        }
    }

    async fn attend(&self, site: Arc<Site<Triad>>) {
        tokio::join!(operator::work(&site), duplicates::send(&site));
    }

    async fn heal(&self, site: &Site<Triad>) {
        operator::undo(site).await;
        let random = site.random("last versions");
        // Otherwise the run ends in the middle of an upgrade.
        if self.kind.has_versions() && random.chance(60) {
            versions::upgrade_all(site, &random).await;
            operator::finish_upgrade(site).await;
        }
    }
}

/// The real client library, over the simulated network.
#[derive(Clone)]
pub struct TriadClient {
    client: LicensingClient,
}

impl Client for TriadClient {
    fn session(&self) -> Option<SessionId> {
        Some(self.client.session())
    }

    async fn ask(&mut self, kind: &Kind) -> Told {
        let action = match kind {
            Kind::Checkout { feature, seats } => {
                let (vendor, feature) = licenses::asked(feature);
                Action::Checkout { vendor, feature, version: "1.0".to_owned(), seats: *seats }
            }
            Kind::Checkin { handle } => Action::Checkin { handle: *handle, owner: None },
            Kind::Open | Kind::Remove { .. } | Kind::Install { .. } => {
                return Told::NotDone { why: "clients do not ask for that".to_owned() };
            }
        };
        told(self.client.call(action).await)
    }
}

/// A license file of a server.
fn file(path: &str, text: String) -> LicenseFile {
    let license = License::parse(&text).expect("a license of the simulation");
    LicenseFile { path: path.into(), text, license }
}

/// Servers and the operator are on the same machine as far as rights go; clients are elsewhere.
pub(super) fn address_of(end: End) -> SocketAddr {
    let host = match end {
        End::Server(_) => Ipv4Addr::LOCALHOST,
        End::Client(OPERATOR) => Ipv4Addr::LOCALHOST,
        End::Client(number) => Ipv4Addr::from(0x0a00_0000 + number),
    };
    SocketAddr::new(IpAddr::V4(host), 1024)
}
