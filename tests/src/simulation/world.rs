//! One run: three servers, their disks, their network, their clients, their troubles.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use licensing_core::command::Command;
use licensing_core::id::{Role, Timestamp};
use licensing_core::license::License;
use licensing_raft::environment::{Clock, Environment, Randomness};
use licensing_raft::testing::{DiskHabits, MemoryDisk};
use licensing_raft::watch::Watched;
use licensing_raft::{Node, NodeConfig};
use tokio::time::Instant;

use super::clients::Client;
use super::faults::{FaultCounts, trouble};
use super::judge::{Judge, Violation};
use super::network::Network;
use super::random::Stream;
use crate::cluster::license;

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides everything.
    pub seed: u64,
    /// Virtual time under faults.
    pub duration: Duration,
    /// Clients that work all the time.
    pub clients: u64,
}

impl Options {
    /// The usual run of a seed: thirty seconds, six clients.
    pub fn of(seed: u64) -> Options {
        Options { seed, duration: Duration::from_secs(30), clients: 6 }
    }
}

/// What came out of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was untrue; empty for a good run.
    pub violations: Vec<Violation>,
    /// Requests that were answered.
    pub answers: u64,
    /// What went wrong on purpose.
    pub counts: FaultCounts,
    /// Virtual time in all.
    pub simulated: Duration,
    /// Equal for equal runs: state, answers and faults of the whole run.
    pub trace: String,
}

/// Runs one seed to its end.
pub fn run(options: &Options) -> Report {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime without I/O");
    runtime.block_on(simulate(options.clone()))
}

/// How long the healed triad may take to agree, serve and level out: several elections and a snapshot.
const CONVERGENCE: Duration = Duration::from_secs(20);

/// Between two looks at all replicas.
const LOOK: Duration = Duration::from_millis(250);

pub(crate) struct World {
    seed: u64,
    pub(crate) network: Network,
    pub(crate) counts: FaultCounts,
    disks: [MemoryDisk; 3],
    begun: Instant,
    lives: u64,
}

async fn simulate(options: Options) -> Report {
    let seed = options.seed;
    let begun = Instant::now();
    let network = Network::new(Stream::new(seed, "network"));
    let disks = Role::ALL.map(|role| MemoryDisk::new(Arc::new(Habits(Stream::new(seed, role.name())))));
    let counts = FaultCounts::default();
    let mut world = World { seed, network: network.clone(), counts, disks, begun, lives: 0 };
    for role in Role::ALL {
        world.start(role).await;
    }
    world.install().await;

    let judge = Judge::default();
    let stop = Watched::new(false);
    let mut working = Vec::new();
    for number in 0..options.clients {
        let random = Stream::new(seed, &format!("client {number}"));
        let client = Client::new(number, network.clone(), judge.clone(), random);
        working.push(tokio::spawn(client.work(stop.subscribe())));
    }
    let looking = tokio::spawn(look(network.clone(), judge.clone()));
    trouble(&mut world, &Stream::new(seed, "faults"), options.duration).await;

    // The second phase: everything heals, and the triad must converge and serve.
    world.network.change_cuts(|cuts| cuts.clear());
    if !world.converges().await {
        judge.fail("after the faults the primary serves and all are level", world.describe());
    }
    stop.send_replace(true);
    for client in working {
        let _ = client.await;
    }
    if !world.converges().await {
        judge.fail("after the clients stopped all are level", world.describe());
    }
    looking.abort();
    let mut trace = String::new();
    for role in Role::ALL {
        if let Some(node) = network.node(role) {
            let state = node.state();
            judge.look(role, &state);
            judge.settle(&state, true);
            trace.push_str(&format!("{role} {} {};", state.last_index(), state.digest()));
            node.crash().await;
        }
    }
    trace.push_str(&format!("{} {:?} {:?}", judge.answers(), world.counts, world.elapsed()));
    Report {
        violations: judge.violations(),
        answers: judge.answers(),
        counts: world.counts,
        simulated: world.elapsed(),
        trace,
    }
}

async fn look(network: Network, judge: Judge) {
    loop {
        tokio::time::sleep(LOOK).await;
        let mut serving = Vec::new();
        for role in Role::ALL {
            let Some(node) = network.node(role) else { continue };
            judge.look(role, &node.state());
            if node.mastership().borrow().serving {
                serving.push(role);
            }
            if let Some(why) = node.failure().borrow().clone() {
                judge.fail("no node stops by itself", format!("the {role}: {why}"));
            }
        }
        if serving.contains(&Role::Tertiary) {
            judge.fail("the tertiary never serves", String::new());
        }
        if serving.len() > 1 {
            judge.fail("at most one server serves at any instant", format!("{serving:?}"));
        }
    }
}

impl World {
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Starts a server on whatever its disk holds.
    pub(crate) async fn start(&mut self, role: Role) {
        self.lives += 1;
        let parsed = License::parse(&license("PRIMARY_IS_MASTER")).expect("the license of the simulation");
        let mut config = NodeConfig::from_license(&parsed, role, "memory").expect("it is for a triad");
        config.snapshot_every = 200;
        config.failback_hold = Duration::from_secs(1);
        let environment = Environment {
            clock: Arc::new(VirtualClock(self.begun)),
            randomness: Arc::new(Seeded(Stream::new(self.seed, &format!("life {}", self.lives)))),
            dialer: self.network.dialer(role),
        };
        let node = Node::start_simulated(config, environment, &self.disks[role.place()]).await;
        self.network.set_node(role, Some(node.expect("a simulated node starts")));
    }

    /// The server dies; what it had not synced is gone.
    pub(crate) async fn crash(&mut self, role: Role) {
        if let Some(node) = self.network.node(role) {
            self.network.set_node(role, None);
            node.crash().await;
        }
    }

    /// The disk of a dead server is replaced by an empty one.
    pub(crate) fn wipe(&mut self, role: Role) {
        self.disks[role.place()].wipe();
    }

    /// Whether every server is up and a full member, so that one of them can be spared.
    pub(crate) fn all_members(&self) -> bool {
        Role::ALL.into_iter().all(|role| {
            self.network.node(role).is_some_and(|node| {
                let own = &node.servers()[role.place()];
                own.remark.is_none() && own.log_lag == Some(0)
            })
        })
    }

    async fn install(&self) {
        let text = license("PRIMARY_IS_MASTER");
        loop {
            if let Some(node) = self.network.node(Role::Primary)
                && node.propose(Command::Install { license: text.clone() }).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the primary serves and all three have applied the same.
    async fn converges(&self) -> bool {
        let deadline = Instant::now() + CONVERGENCE;
        while Instant::now() < deadline {
            let nodes: Vec<Node> = Role::ALL.into_iter().filter_map(|role| self.network.node(role)).collect();
            let serves = nodes.first().is_some_and(|node| node.mastership().borrow().serving);
            let mut indices = nodes.iter().map(|node| node.look(|state| state.last_index()));
            let first = indices.next();
            if nodes.len() == 3 && serves && indices.all(|index| Some(index) == first) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    fn describe(&self) -> String {
        let seen = |role: Role| match self.network.node(role) {
            Some(node) => {
                format!("{role}: {:?} at {}", *node.mastership().borrow(), node.look(|s| s.last_index()))
            }
            None => format!("{role}: down"),
        };
        Role::ALL.map(seen).join("; ")
    }
}

/// Wall clocks begin at the same moment and run with virtual time.
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        /// 2026-01-01.
        const START_MS: u64 = 1_767_225_600_000;
        Timestamp(START_MS + self.0.elapsed().as_millis() as u64)
    }
}

struct Seeded(Stream);

impl Randomness for Seeded {
    fn bytes(&self) -> io::Result<[u8; 32]> {
        Ok(self.0.bytes())
    }
}

struct Habits(Stream);

impl DiskHabits for Habits {
    fn sync_time(&self) -> Duration {
        // Disks of virtual machines stall now and then.
        if self.0.chance(1) { self.0.between_us(5_000, 120_000) } else { self.0.between_us(80, 400) }
    }
}
