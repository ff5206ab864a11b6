//! The machine a simulated server runs on: its disk and its clocks outlive the server, its tasks do not.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_core::id::{Role, Timestamp};
use licensing_daemon::DaemonBuilder;
use licensing_daemon::testing::SimulatedServer;
use licensing_raft::environment::{Clock, Dialed, Dialer, Dialing, Environment, Randomness};
use licensing_raft::testing::{DiskHabits, DiskMoment, Gate, MemoryDisk, TaskList};
use licensing_raft::watch::Watcher;
use licensing_raft::{Mastership, Node, NodeConfig, ServerAddress};
use tokio::time::Instant;

use super::calendar;
use super::happenings::{Ears, Happening};
use super::network::{End, Network};
use super::random::Stream;

/// Ports of the simulated servers are this and their number.
pub const FIRST_PORT: u16 = 2000;

/// Thousandths of a second that the fastest clock of a host counts while a second passes, and the slowest: as far apart as is
/// promised (semantics.md).
pub(crate) const FASTEST: u32 = 1050;
const SLOWEST: u32 = 950;

/// A disk that takes longer stalls.
const STALL: Duration = Duration::from_millis(10);

/// Where one server runs. Clones are the same machine.
#[derive(Clone)]
pub struct Host {
    role: Role,
    seed: u64,
    network: Network,
    disk: MemoryDisk,
    habits: Arc<Habits>,
    clock: Arc<HostClock>,
    gate: Gate,
    tasks: TaskList,
    kept: Arc<Mutex<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>>,
    lives: Arc<AtomicU64>,
    older: Arc<AtomicBool>,
    trouble: Arc<tokio::sync::Mutex<()>>,
    ears: Ears,
}

impl Host {
    pub(crate) fn new(seed: u64, role: Role, network: Network, ears: Ears) -> Host {
        let habits = Arc::new(Habits {
            role,
            random: Stream::new(seed, &format!("disk of the {role}")),
            broken: Mutex::new(false),
            slow_until: Mutex::new(Instant::now()),
            ears: ears.clone(),
        });
        let hearing = ears.clone();
        let gate = Gate::new(tracing::error_span!("at", server = %role))
            .at_pace(pace(seed, role))
            .noticing(move |moment| hearing.tell(role, Happening::Node(moment)));
        Host {
            role,
            seed,
            network,
            disk: MemoryDisk::new(habits.clone()),
            habits,
            clock: Arc::new(HostClock::new(calendar::start_ms(seed))),
            gate,
            tasks: TaskList::default(),
            kept: Arc::default(),
            lives: Arc::default(),
            older: Arc::default(),
            trouble: Arc::default(),
            ears,
        }
    }

    /// Whose machine it is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The way to everybody else.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// A disk for [`licensing_raft::Node::start_simulated`].
    pub fn disk(&self) -> &MemoryDisk {
        &self.disk
    }

    /// What holds the server up when its machine stands still.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The disk of a service that keeps something simple: what is in it is durable as soon as it is changed, and is
    /// found again after a crash.
    pub fn keep<T: Default + Send + 'static>(&self) -> Arc<Mutex<T>> {
        let mut kept = lock(&self.kept);
        let made = kept.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(Mutex::new(T::default())));
        made.clone().downcast().expect("entered under its own type")
    }

    /// Starts a task of the server: it stands still with the machine and dies with the server.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.tasks.add(&tokio::spawn(self.gate.clone().behind(future)));
    }

    /// What a node takes from the world; ask anew for each life of the server.
    pub fn environment(&self) -> Environment {
        let life = self.lives.fetch_add(1, Ordering::SeqCst);
        let random = Stream::new(self.seed, &format!("life {life} of the {}", self.role));
        Environment {
            clock: self.clock.clone(),
            randomness: Arc::new(Seeded(random)),
            dialer: Arc::new(PeerDialer { from: self.role, network: self.network.clone() }),
        }
    }

    /// How many lives its servers have begun.
    pub(crate) fn lives(&self) -> u64 {
        self.lives.load(Ordering::SeqCst)
    }

    /// Random numbers for one purpose on this host.
    pub fn random(&self, purpose: &str) -> Stream {
        Stream::new(self.seed, &format!("{purpose} of the {}", self.role))
    }

    /// Starts a node on this host.
    ///
    /// Errors: why it does not start.
    pub async fn start_node(&self, config: NodeConfig) -> Result<Node, String> {
        let started = Node::start_simulated(config, self.environment(), &self.disk, &self.gate).await;
        let node = started.map_err(|error| error.to_string())?;
        self.spawn(tell_of_mastership(node.mastership(), self.role, self.ears.clone()));
        Ok(node)
    }

    /// Starts a daemon on this host, as far as it can do without a port: connections are given to it.
    ///
    /// Errors: why it does not start.
    pub async fn start_daemon(&self, builder: DaemonBuilder) -> Result<SimulatedServer, String> {
        let started = builder.start_simulated(self.environment(), &self.disk, &self.gate).await;
        let daemon = started.map_err(|error| error.to_string())?;
        self.spawn(tell_of_mastership(daemon.node().mastership(), self.role, self.ears.clone()));
        self.spawn(daemon.follow());
        Ok(daemon)
    }

    /// Whether the servers of this host are of the version before the present one.
    pub fn is_older(&self) -> bool {
        self.older.load(Ordering::SeqCst)
    }

    /// From its next start on.
    pub(crate) fn set_older(&self, older: bool) {
        self.older.store(older, Ordering::SeqCst);
    }

    /// Locked by whoever takes the server down, so that troubles come one at a time.
    pub(crate) fn trouble(&self) -> &tokio::sync::Mutex<()> {
        &self.trouble
    }

    /// How many tasks of the server's own have not ended, besides those of its node.
    pub(crate) fn running_tasks(&self) -> usize {
        self.tasks.running()
    }

    /// Ends all tasks where they stand.
    pub(crate) async fn end_tasks(&self) {
        self.tasks.end().await;
    }

    /// The disk is replaced by an empty one.
    pub(crate) fn wipe(&self) {
        self.disk.wipe();
        lock(&self.kept).clear();
    }

    /// Whether every write fails.
    pub(crate) fn break_disk(&self, broken: bool) {
        *lock(&self.habits.broken) = broken;
    }

    /// How long its disk has not stalled.
    pub(crate) fn disk_was_quick_for(&self) -> Duration {
        lock(&self.habits.slow_until).elapsed()
    }

    pub(crate) fn clock(&self) -> &HostClock {
        &self.clock
    }
}

/// Says when this server becomes master, and when it is master no more.
async fn tell_of_mastership(mut mastership: Watcher<Mastership>, role: Role, ears: Ears) {
    let mut serves = false;
    while mastership.wait_for(|now| now.serving != serves).await.is_ok() {
        serves = !serves;
        ears.tell(role, if serves { Happening::Gain } else { Happening::Loss });
    }
}

/// Thousandths of a second that the monotonic clock of this host counts while a second passes; not a thousand on every other
/// host.
pub fn pace(seed: u64, role: Role) -> u32 {
    let random = Stream::new(seed, &format!("pace of the {role}"));
    if random.chance(50) { SLOWEST + random.below(u64::from(FASTEST - SLOWEST) + 1) as u32 } else { 1000 }
}

/// The wall clock of a host: starts at the same moment as those of the others, jumps and drifts when told to.
pub(crate) struct HostClock {
    begun: Instant,
    start_ms: i64,
    offset_ms: AtomicI64,
    /// Milliseconds gained in a second.
    drift: AtomicI64,
}

impl HostClock {
    fn new(start_ms: i64) -> HostClock {
        HostClock { begun: Instant::now(), start_ms, offset_ms: AtomicI64::new(0), drift: AtomicI64::new(0) }
    }

    pub(crate) fn jump(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::SeqCst);
    }

    pub(crate) fn drift(&self, ms_in_a_second: i64) {
        self.drift.store(ms_in_a_second, Ordering::SeqCst);
    }
}

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        let drifted = elapsed / 1000 * self.drift.load(Ordering::SeqCst);
        let now = self.start_ms + elapsed + drifted + self.offset_ms.load(Ordering::SeqCst);
        Timestamp(now.unsigned_abs())
    }
}

struct Seeded(Stream);

impl Randomness for Seeded {
    fn bytes(&self) -> io::Result<[u8; 32]> {
        Ok(self.0.bytes())
    }
}

struct Habits {
    role: Role,
    random: Stream,
    broken: Mutex<bool>,
    /// When its last stall ends.
    slow_until: Mutex<Instant>,
    ears: Ears,
}

impl DiskHabits for Habits {
    fn sync_time(&self) -> Duration {
        // Disks of virtual machines stall now and then.
        let most = if self.random.chance(1) { 120_000 } else { 400 };
        let time = self.random.between_us(80, most);
        if time > STALL {
            let mut until = lock(&self.slow_until);
            *until = (Instant::now() + time).max(*until);
        }
        time
    }

    fn failure(&self) -> Option<io::Error> {
        lock(&self.broken).then(|| io::Error::from(io::ErrorKind::StorageFull))
    }

    fn notice(&self, moment: DiskMoment) {
        self.ears.tell(self.role, Happening::Disk(moment));
    }
}

struct PeerDialer {
    from: Role,
    network: Network,
}

impl Dialer for PeerDialer {
    fn dial(&self, address: &ServerAddress) -> Dialing {
        let (from, network) = (End::Server(self.from), self.network.clone());
        let to = Role::from_number(u64::from(address.port.saturating_sub(FIRST_PORT)));
        Box::pin(async move {
            let to = to.ok_or(io::ErrorKind::ConnectionRefused)?;
            let (stream, own) = network.dial(from, to).await?;
            Ok(Dialed::resetting(stream, own))
        })
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
