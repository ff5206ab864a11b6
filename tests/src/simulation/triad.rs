//! The reference server as a service under test: real nodes, the real client port, the real client library. Only
//! sockets, disks and clocks are the simulation's.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use licensing_client::{Client as LicensingClient, ClientConfig};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{LogIndex, Role, Seats, SessionId, Timestamp};
use licensing_core::invariants;
use licensing_core::license::License;
use licensing_core::state::State;
use licensing_daemon::testing::SimulatedServer;
use licensing_daemon::{DaemonConfig, LicenseFile};
use licensing_raft::{Node, NodeConfig};

use super::dialing::{Dialing, Tokens};
use super::host::Host;
use super::network::End;
use super::run::{Options, Report, run};
use super::service::{Client, Servers, Service, Shown, Site};
use super::{duplicates, operator};
use crate::cluster;
use crate::history::{Count, Held, Kind, Told};
use crate::workload::told;

/// Grace of a session here: shorter than the default, so that ends of sessions are seen often.
const GRACE: Duration = Duration::from_secs(6);

/// Entries after which a snapshot is made: few, so that there are many.
const SNAPSHOT_EVERY: u64 = 200;

/// What is claimed of our triad, besides the claims of every service.
pub mod claim {
    /// Checked by [`licensing_core::invariants`].
    pub const INVARIANTS: &str = "every replica keeps every invariant";
    /// Whatever has happened to them.
    pub const REPLICAS: &str = "replicas are equal at equal index";
    /// Whatever clocks do.
    pub const TIME: &str = "state time never goes back";
    /// Not even while it leads.
    pub const NO_TERTIARY: &str = "the tertiary never serves";
    /// A target is looked at before the mastership is on its way.
    pub const HANDOVER_TO_SOMEBODY: &str =
        "no server hands over when everybody who could take it has long been away";
    /// At the same instant.
    pub const ONE_MASTER: &str = "at most one server serves at any instant";
}

/// Rare things that a run set must have seen to prove anything.
pub mod seen {
    /// The primary was master.
    pub const PRIMARY: &str = "times the primary became master";
    /// The secondary was master.
    pub const SECONDARY: &str = "times the secondary became master";
    /// The primary took over from the secondary.
    pub const HAND_BACK: &str = "hand-backs to the primary";
    /// The tertiary led for a moment, to bring another server up to date.
    pub const CARETAKER: &str = "caretaker episodes";
    /// A server was brought up to date by a snapshot.
    pub const SNAPSHOT: &str = "snapshots installed";
    /// A late duplicate got its first answer.
    pub const REPEATED: &str = "duplicates answered from memory";
    /// A late duplicate was refused, because its client had heard the answer.
    pub const FORGOTTEN: &str = "duplicates refused as old";
    /// Somebody asked what became of a request, and was told.
    pub const RECALLED: &str = "answers recalled";
    /// Somebody asked for more at once than a node takes.
    pub const FLOOD: &str = "floods";
    /// An operator asked for another master.
    pub const PREFERENCE: &str = "failovers asked for";
    /// An operator put a server into maintenance.
    pub const MAINTENANCE: &str = "maintenances";
    /// An operator took a seat away.
    pub const REMOVAL: &str = "removals";
    /// An operator installed another license file.
    pub const REREAD: &str = "rereads";

    /// All of them.
    pub const ALL: &[&str] = &[
        PRIMARY,
        SECONDARY,
        HAND_BACK,
        CARETAKER,
        SNAPSHOT,
        REPEATED,
        FORGOTTEN,
        RECALLED,
        FLOOD,
        PREFERENCE,
        MAINTENANCE,
        REMOVAL,
        REREAD,
    ];
}

/// The reference server.
#[derive(Default)]
pub struct Triad {
    watch: Mutex<Watch>,
    pub(super) duplicates: duplicates::Sniffed,
}

/// Runs the reference server under the faults of one seed and judges it. The same as [`run`](super::run()), compiled once
/// for all who call it.
pub fn run_triad(options: &Options) -> Report {
    run(Triad::default(), options)
}

/// A running server.
#[derive(Clone)]
pub struct Server {
    pub(super) simulated: SimulatedServer,
}

impl Server {
    /// The node inside.
    pub fn node(&self) -> &Node {
        self.simulated.node()
    }
}

/// What has been seen so far.
#[derive(Default)]
struct Watch {
    /// Digest of the state at an index, whoever showed it first.
    digests: BTreeMap<LogIndex, String>,
    clocks: BTreeMap<Role, (LogIndex, Timestamp)>,
    last_master: Option<Role>,
    /// Counted of each server's present life.
    counted: [(u64, u64); 3],
    /// Since when each server does not run or stands still, in microseconds.
    down_since_us: [Option<u64>; 3],
}

/// A server that has been away for so long has been missed by all others.
const NOTICED_US: u64 = 1_000_000;

/// Digests kept: replicas are never further apart than a run is long, but old ones are of no use.
const DIGESTS: usize = 4096;

impl Service for Triad {
    type Server = Server;
    type Client = TriadClient;

    fn licensed(&self) -> BTreeMap<String, Seats> {
        [("f1", 10), ("f2", 3)].map(|(name, seats)| (name.to_owned(), Seats(seats))).into()
    }

    async fn start(&self, host: &Host) -> Result<Server, String> {
        let text = license(1);
        let parsed = License::parse(&text).expect("the license of the simulation");
        let mut node_config =
            NodeConfig::from_license(&parsed, host.role(), "memory").expect("it is for a triad");
        node_config.snapshot_every = SNAPSHOT_EVERY;
        node_config.log_kept = SNAPSHOT_EVERY;
        node_config.failback_hold = Duration::from_secs(1);
        node_config.session_grace = GRACE;
        let node =
            Node::start_simulated(node_config.clone(), host.environment(), host.disk(), host.gate()).await;
        let license = LicenseFile { path: "simulated.lic".into(), text, license: parsed };
        let config = DaemonConfig::new(node_config, vec![license]);
        let simulated = SimulatedServer::new(node.map_err(|error| error.to_string())?, &config);
        host.spawn(simulated.follow());
        let (serving, at) = (simulated.clone(), host.clone());
        let listener = move |stream, from| at.spawn(serving.serve(stream, address_of(from)));
        host.network().listen(host.role(), Arc::new(listener));
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).counted[host.role().place()] = (0, 0);
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
        let mut config = ClientConfig::new(search_path());
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
        Role::ALL.into_iter().all(|role| {
            servers[role.place()].as_ref().is_some_and(|server| server.node().servers()[role.place()].member)
        })
    }

    fn failure(&self, server: &Server) -> Option<String> {
        server.node().failure().borrow().clone()
    }

    fn settled(&self, servers: &Servers<Triad>) -> Result<(), String> {
        let nodes = servers.each_ref().map(|server| server.as_ref().map(Server::node));
        let index = |node: &Node| node.look(State::last_index);
        let serves = nodes[0].is_some_and(|primary| primary.mastership().borrow().serving);
        let level = nodes.iter().all(|node| node.map(index) == nodes[0].map(index));
        if serves && level && nodes[0].is_some() {
            return Ok(());
        }
        let words = Role::ALL.map(|role| match nodes[role.place()] {
            Some(node) => format!("{role}: {:?} at {}", *node.mastership().borrow(), index(node)),
            None => format!("{role}: down"),
        });
        Err(words.join("; "))
    }

    fn look(&self, site: &Site<Triad>) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.masters(site);
        watch.who_is_away(site);
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
    }
}

impl Watch {
    fn masters(&mut self, site: &Site<Triad>) {
        // One that stands still answers nobody.
        let serves = |role: &Role| site.awake(*role).is_some_and(|server| server.node().serves());
        let serving: Vec<Role> = Role::ALL.into_iter().filter(serves).collect();
        if serving.len() > 1 {
            site.fail(claim::ONE_MASTER, format!("{serving:?} at {} us", site.recorder.now_us()));
        }
        let Some(master) = serving.first().copied().filter(|master| Some(*master) != self.last_master) else {
            return;
        };
        match (master, self.last_master) {
            (Role::Primary, last) => {
                site.count(seen::PRIMARY);
                let running = site.servers()[Role::Secondary.place()].is_some();
                if last == Some(Role::Secondary) && running {
                    site.count(seen::HAND_BACK);
                }
            }
            (Role::Secondary, _) => site.count(seen::SECONDARY),
            (Role::Tertiary, _) => site.fail(claim::NO_TERTIARY, format!("{} us", site.recorder.now_us())),
        }
        self.last_master = Some(master);
    }

    fn count(&mut self, site: &Site<Triad>, role: Role, server: &Server) {
        let counts = server.node().counts();
        let (handovers, snapshots) = self.counted[role.place()];
        self.counted[role.place()] = (counts.handovers, counts.snapshots_installed);
        for _ in snapshots..counts.snapshots_installed {
            site.count(seen::SNAPSHOT);
        }
        for _ in handovers..counts.handovers {
            if role == Role::Tertiary {
                site.count(seen::CARETAKER);
            }
            self.handover(site, role);
        }
    }

    fn who_is_away(&mut self, site: &Site<Triad>) {
        for role in Role::ALL {
            let away = site.awake(role).is_none();
            let since = &mut self.down_since_us[role.place()];
            *since = away.then(|| since.unwrap_or_else(|| site.recorder.now_us()));
        }
    }

    /// A leader has begun to hand over.
    fn handover(&self, site: &Site<Triad>, from: Role) {
        let now_us = site.recorder.now_us();
        let targets = || [Role::Primary, Role::Secondary].into_iter().filter(|role| *role != from);
        let gone =
            |role: Role| self.down_since_us[role.place()].is_some_and(|since| now_us - since > NOTICED_US);
        if targets().all(gone) {
            site.fail(claim::HANDOVER_TO_SOMEBODY, format!("by the {from} at {now_us} us"));
        }
    }

    fn replica(&mut self, site: &Site<Triad>, role: Role, server: &Server) {
        let state = server.node().state();
        let (index, clock) = (state.last_index(), state.clock());
        let last = self.clocks.insert(role, (index, clock));
        if last.is_some_and(|(last_index, _)| last_index == index) {
            return;
        }
        if let Some((last_index, last_clock)) = last
            && index >= last_index
            && clock < last_clock
        {
            site.fail(claim::TIME, format!("the {role} at entry {index}"));
        }
        if let Err(violation) = invariants::check(&state) {
            site.fail(claim::INVARIANTS, format!("the {role}: {violation}"));
        }
        let digest = state.digest().to_string();
        let first = self.digests.entry(index).or_insert_with(|| digest.clone());
        if *first != digest {
            site.fail(claim::REPLICAS, format!("the {role} differs at entry {index}"));
        }
        while self.digests.len() > DIGESTS {
            self.digests.pop_first();
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
            Kind::Checkout { feature, seats } => Action::Checkout {
                vendor: None,
                feature: feature.clone(),
                version: "1.0".to_owned(),
                seats: *seats,
            },
            Kind::Checkin { handle } => Action::Checkin { handle: *handle, owner: None },
            Kind::Open | Kind::Remove { .. } => {
                return Told::NotDone { why: "clients do not ask for that".to_owned() };
            }
        };
        told(self.client.call(action).await)
    }
}

/// The license; `third` is the number of seats of a feature that nobody uses, so that files differ.
pub(super) fn license(third: u32) -> String {
    let lines = cluster::license("PRIMARY_IS_MASTER");
    format!("{lines}FEATURE f3 demo 1.0 permanent {third} SIGN=\"0\"\n")
}

pub(super) fn search_path() -> licensing_client::SearchPath {
    "2001@memory,2002@memory,2003@memory".parse().expect("a search path")
}

/// Servers and the operator are on the same machine as far as rights go; clients are elsewhere.
pub(super) fn address_of(end: End) -> SocketAddr {
    let host = match end {
        End::Server(_) => Ipv4Addr::LOCALHOST,
        End::Client(operator::NUMBER) => Ipv4Addr::LOCALHOST,
        End::Client(number) => Ipv4Addr::from(0x0a00_0000 + number),
    };
    SocketAddr::new(IpAddr::V4(host), 1024)
}
