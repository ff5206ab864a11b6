//! The reference server as a service under test: real nodes, the real client port, the real client library. Only
//! sockets, disks and clocks are the simulation's.

pub mod claims;
mod client;
mod dialing;
mod duplicates;
mod operator;
mod overheard;
mod place;
mod server;
mod versions;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_client::{Client as LicensingClient, ClientConfig};
use licensing_core::command::Identity;
use licensing_core::edition::Edition;
use licensing_core::id::{Role, Seats};
use licensing_core::license::License;
use licensing_core::state::State;
use licensing_daemon::testing::SimulatedServer;
use licensing_daemon::{DaemonConfig, LicenseFile};
use licensing_raft::{Node, NodeConfig};

use self::dialing::{Dialing, Tokens};
use self::operator::Served;
use self::overheard::Sniffed;
use self::place::{OTHER, address_of, license, search_path};
use self::versions::Versions;
use self::watch::Watch;
use super::host::Host;
use super::network::End;
use super::random::Stream;
use super::run::{Options, Report, run};
use super::service::{Servers, Service, Shown, Site};
use crate::history::{Count, Held};

pub use self::claims::{claim, seen};
pub use self::client::TriadClient;
pub use self::server::Server;

/// Grace of a session here: shorter than the default, so that ends of sessions are seen often.
const GRACE: Duration = Duration::from_secs(6);

/// Entries after which a snapshot is made: few, so that there are many.
const SNAPSHOT_EVERY: u64 = 200;

/// How long all servers must have known a newer edition before it applies: short, so that it happens in a run.
const UPGRADE_AFTER: Duration = Duration::from_secs(3);

/// The reference server: a triad, or a single one.
pub struct Triad {
    roles: &'static [Role],
    versions: Versions,
    served: Served,
    watch: Mutex<Watch>,
    duplicates: Sniffed,
}

/// Three servers of today's version.
impl Default for Triad {
    fn default() -> Triad {
        Triad::of(&Role::ALL, Edition::NEWEST)
    }
}

impl Triad {
    fn of(roles: &'static [Role], known: Edition) -> Triad {
        let versions = Versions::all(known);
        let (served, watch, duplicates) = (Served::default(), Mutex::default(), Sniffed::default());
        Triad { roles, versions, served, watch, duplicates }
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the reference server under the faults of one seed and judges it. Every other seed begins with servers of an older
/// version. The same as [`run`](super::run()), compiled once for all who call it.
pub fn run_triad(options: &Options) -> Report {
    let roles = if options.single { &Role::ALL[..1] } else { &Role::ALL[..] };
    let known = if options.seed.is_multiple_of(2) { Edition::FIRST } else { Edition::NEWEST };
    run(Triad::of(roles, known), options)
}

impl Service for Triad {
    type Server = Server;
    type Client = TriadClient;

    fn licensed(&self) -> BTreeMap<String, Seats> {
        [("f1", 10), ("f2", 3), OTHER].map(|(name, seats)| (name.to_owned(), Seats(seats))).into()
    }

    fn offered(&self) -> Vec<String> {
        let served = |name: &String| name != OTHER.0 || self.served.is_both();
        self.licensed().into_keys().filter(served).collect()
    }

    fn roles(&self) -> &'static [Role] {
        self.roles
    }

    async fn start(&self, host: &Host) -> Result<Server, String> {
        let text = license(self.roles, 1);
        let parsed = License::parse(&text).expect("the license of the simulation");
        let mut node_config =
            NodeConfig::from_license(&parsed, host.role(), "memory").expect("it is for a triad");
        node_config.snapshot_every = SNAPSHOT_EVERY;
        node_config.log_kept = SNAPSHOT_EVERY;
        node_config.failback_hold = Duration::from_secs(1);
        node_config.session_grace = GRACE;
        node_config.upgrade_after = UPGRADE_AFTER;
        node_config.known_edition = self.versions.known(host.role());
        let node =
            Node::start_simulated(node_config.clone(), host.environment(), host.disk(), host.gate()).await;
        let license = LicenseFile { path: "simulated.lic".into(), text, license: parsed };
        let config = DaemonConfig::new(node_config, vec![license]);
        let simulated = SimulatedServer::new(node.map_err(|error| error.to_string())?, &config);
        host.spawn(simulated.follow());
        let (serving, at) = (simulated.clone(), host.clone());
        let listener = move |stream, from| at.spawn(serving.serve(stream, address_of(from)));
        host.network().listen(host.role(), Arc::new(listener));
        self.watch().begins(host.role());
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
        let mut config = ClientConfig::new(search_path(self.roles));
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
        let licensed = self.licensed();
        server.node().look(|state| {
            let count =
                |issued: Option<Seats>, in_use| Count { issued: issued.unwrap_or(Seats(u32::MAX)), in_use };
            let features = state.pools().filter(|pool| licensed.contains_key(pool.feature));
            let features = features.map(|pool| (pool.feature.to_owned(), count(pool.licensed, pool.in_use)));
            let held = state.checkouts().map(|checkout| Held {
                handle: checkout.handle,
                session: checkout.keeper.session().unwrap_or_default(),
                feature: checkout.feature.to_owned(),
                seats: checkout.seats,
            });
            Some(Shown { applied: state.last_index(), features: features.collect(), held: held.collect() })
        })
    }

    fn master(&self, servers: &Servers<Triad>) -> Option<Role> {
        let serves = |role: &Role| {
            servers[role.place()].as_ref().is_some_and(|server| server.node().mastership().borrow().serving)
        };
        Role::ALL.into_iter().find(serves)
    }

    fn can_spare_one(&self, servers: &Servers<Triad>) -> bool {
        self.roles.len() > 1
            && self.roles.iter().all(|role| {
                servers[role.place()]
                    .as_ref()
                    .is_some_and(|server| server.node().servers()[role.place()].member)
            })
    }

    fn failure(&self, server: &Server) -> Option<String> {
        server.node().failure().borrow().clone()
    }

    fn settled(&self, servers: &Servers<Triad>) -> Result<(), String> {
        let nodes = servers.each_ref().map(|server| server.as_ref().map(Server::node));
        let index = |node: &Node| node.look(State::last_index);
        let serves = nodes[0].is_some_and(|primary| primary.mastership().borrow().serving);
        let of = |role: &Role| nodes[role.place()].map(index);
        let level = self.roles.iter().all(|role| of(role) == nodes[0].map(index));
        let newest = nodes[0].is_some_and(|primary| primary.look(State::edition) == Edition::NEWEST);
        if serves && level && newest {
            return Ok(());
        }
        let words = Role::ALL.map(|role| match nodes[role.place()] {
            Some(node) => {
                let edition = node.look(State::edition);
                format!("{role}: {:?} at {}, edition {edition}", *node.mastership().borrow(), index(node))
            }
            None => format!("{role}: down"),
        });
        Err(words.join("; "))
    }

    fn look(&self, site: &Site<Triad>) {
        self.watch().look(site, |role| self.versions.known(role));
    }

    async fn attend(&self, site: Arc<Site<Triad>>) {
        tokio::join!(operator::work(&*site, &self.served), duplicates::send(&*site, &self.duplicates));
    }

    async fn heal(&self, site: &Site<Triad>) {
        for role in self.roles.iter().copied() {
            let _alone = site.host(role).trouble().lock().await;
            if self.versions.known(role) < Edition::NEWEST {
                site.crash(role).await;
                self.versions.upgrade(role);
                site.start(role).await;
            }
        }
        operator::undo(site).await;
    }

    fn has_versions(&self) -> bool {
        true
    }

    fn replace(&self, role: Role, random: &Stream) {
        self.versions.replace(role, random);
    }

    fn is_too_old(&self, role: Role, why: &str) -> bool {
        self.versions.is_too_old(role, why)
    }

    fn upgrade(&self, role: Role) {
        self.versions.upgrade(role);
    }
}
