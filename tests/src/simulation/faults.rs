//! What goes wrong in a run, drawn from its seed. Machines, wires and clocks have their troubles independently of each
//! other, and some are aimed at moments that are rarely hit by chance.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::id::Role;
use licensing_raft::testing::DiskMoment;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::network::{End, Way};
use super::random::Stream;
use super::service::{Service, Site};
use super::versions;

/// Everything that can be counted, by name.
pub mod seen {
    /// A server died and lost what it had not synced; its connections were closed.
    pub const CRASH: &str = "crashes";
    /// The same without a word to anybody.
    pub const POWER_LOSS: &str = "power losses";
    /// All three died at once.
    pub const BLACKOUT: &str = "blackouts";
    /// A server was away for so long that the others no longer had the log it needs.
    pub const LONG_OUTAGE: &str = "long outages";
    /// A server stood still and went on.
    pub const PAUSE: &str = "pauses";
    /// A server was stopped as an administrator stops it.
    pub const STOP: &str = "planned stops";
    /// A disk failed under a server.
    pub const DISK_ERROR: &str = "disk errors";
    /// A disk was replaced by an empty one.
    pub const WIPE: &str = "wiped disks";
    /// The primary died when the secondary had missed entries that only the tertiary had.
    pub const TRAP: &str = "primaries dead with the secondary behind";
    /// A server was cut off from all.
    pub const ISOLATION: &str = "isolations";
    /// A server was cut off in one direction.
    pub const ONE_WAY: &str = "one-way isolations";
    /// Two servers were cut off from each other.
    pub const CUT: &str = "cut pairs";
    /// Two servers were cut off from each other in one direction.
    pub const ONE_WAY_CUT: &str = "one-way cut pairs";
    /// Everything was slow.
    pub const SLOW: &str = "slow networks";
    /// All connections of a server broke.
    pub const RESET: &str = "resets";
    /// A client was cut off for a while.
    pub const CLIENT_CUT: &str = "clients cut off";
    /// A client did not wait for an answer.
    pub const GAVE_UP: &str = "answers not waited for";
    /// A client fell silent for ever.
    pub const VANISHED: &str = "clients vanished";
    /// A wall clock jumped by an hour.
    pub const CLOCK_JUMP: &str = "clock jumps";
    /// A wall clock ran too fast or too slow.
    pub const CLOCK_DRIFT: &str = "drifting clocks";
    /// All three died within a millisecond of adding entries to a log.
    pub const AT_APPEND: &str = "blackouts at an append";
    /// A server died within a millisecond of saving a vote.
    pub const AT_VOTE: &str = "crashes at a vote";
    /// … of taking entries off the end of its log.
    pub const AT_TRUNCATE: &str = "crashes at a truncation";
    /// … of taking entries off the beginning of its log.
    pub const AT_PURGE: &str = "crashes at a purge";
    /// … of saving a snapshot.
    pub const AT_SNAPSHOT: &str = "crashes at a snapshot";

    /// What every run set must have seen.
    pub const ALL: &[&str] = &[
        CRASH,
        POWER_LOSS,
        BLACKOUT,
        LONG_OUTAGE,
        PAUSE,
        STOP,
        DISK_ERROR,
        WIPE,
        TRAP,
        ISOLATION,
        ONE_WAY,
        CUT,
        ONE_WAY_CUT,
        SLOW,
        RESET,
        CLIENT_CUT,
        CLOCK_JUMP,
        CLOCK_DRIFT,
        AT_APPEND,
        AT_VOTE,
        AT_TRUNCATE,
        AT_PURGE,
        AT_SNAPSHOT,
    ];

    /// What does not happen to a single server.
    pub const NOT_ALONE: &[&str] = &[WIPE, TRAP, ISOLATION, ONE_WAY, CUT, ONE_WAY_CUT, AT_TRUNCATE];
}

/// Clients that are cut off at times: those of the first generation.
const CLIENTS: u32 = 6;

/// How a server goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fall {
    Crash,
    PowerLoss,
    Stop,
    DiskError,
    Wipe,
}

/// Makes trouble until `until`, and returns when all servers run again and all wires carry.
pub(crate) async fn trouble<S: Service>(
    site: &Arc<Site<S>>,
    until: Instant,
    moments: &mut mpsc::UnboundedReceiver<(Role, DiskMoment)>,
) {
    let troubles = Troubles { site: site.clone(), until };
    tokio::join!(
        troubles.machines(),
        troubles.wires(),
        troubles.clocks(),
        troubles.ambushes(moments),
        versions::change(site, until)
    );
}

struct Troubles<S: Service> {
    site: Arc<Site<S>>,
    until: Instant,
}

impl<S: Service> Troubles<S> {
    /// Waits for the next trouble; `false` when there is to be none.
    async fn next(&self, random: &Stream, least_us: u64, most_us: u64) -> bool {
        sleep(random.between_us(least_us, most_us)).await;
        Instant::now() < self.until
    }

    async fn machines(&self) {
        let random = self.site.random("troubles of the machines");
        while self.next(&random, 300_000, 3_000_000).await {
            let role = self.role(&random);
            let short = random.between_us(20_000, 2_500_000);
            let long = random.between_us(4_000_000, 8_000_000);
            match random.below(100) {
                0..20 => self.fall(role, Fall::Crash, short, seen::CRASH).await,
                20..32 => self.fall(role, Fall::PowerLoss, short, seen::POWER_LOSS).await,
                32..39 => self.blackout(short, seen::BLACKOUT).await,
                39..44 => self.fall(role, Fall::Crash, long, seen::LONG_OUTAGE).await,
                44..62 => self.pause(role, random.between_us(20_000, 4_000_000)).await,
                62..68 => self.fall(role, Fall::Stop, short, seen::STOP).await,
                68..74 => self.fall(role, Fall::DiskError, short, seen::DISK_ERROR).await,
                74..84 if !self.is_alone() => self.trap(&random, short).await,
                // One at a time: two lost disks at once are two lost copies of three, which nothing survives.
                _ if self.site.service.can_spare_one(&self.site.servers()) => {
                    self.fall(role, Fall::Wipe, short, seen::WIPE).await;
                }
                _ => {}
            }
        }
    }

    fn is_alone(&self) -> bool {
        self.site.service.roles().len() == 1
    }

    /// Any server, the master more often than the others.
    fn role(&self, random: &Stream) -> Role {
        let roles = self.site.service.roles();
        let any = roles[random.below(roles.len() as u64) as usize];
        let master = self.site.service.master(&self.site.servers());
        if random.chance(40) { master.unwrap_or(any) } else { any }
    }

    async fn fall(&self, role: Role, fall: Fall, duration: Duration, what: &'static str) {
        // Somebody else is at it already.
        let Ok(_alone) = self.site.host(role).trouble().try_lock() else { return };
        self.site.count(what);
        let away = self.all_ways_of(role);
        match fall {
            Fall::PowerLoss => {
                self.site.network.cut(away.iter().copied());
                self.site.network.lose_power(role);
            }
            Fall::Stop => {
                if let Some(server) = self.site.awake(role) {
                    self.site.service.stop(&server).await;
                }
            }
            Fall::DiskError => self.disk_fails(role).await,
            Fall::Crash | Fall::Wipe => {}
        }
        self.site.crash(role).await;
        if fall == Fall::Wipe {
            self.site.host(role).wipe();
        }
        sleep(duration).await;
        self.site.start(role).await;
        if fall == Fall::PowerLoss {
            self.site.network.mend(away);
        }
    }

    /// Between a server and everybody.
    fn all_ways_of(&self, role: Role) -> Vec<Way> {
        let clients = (1..=CLIENTS).map(End::Client).flat_map(|client| between(End::Server(role), client));
        ways_of(role).into_iter().chain(clients).collect()
    }

    async fn disk_fails(&self, role: Role) {
        /// A server that writes nothing for so long does not notice.
        const UNNOTICED: Duration = Duration::from_secs(2);
        let host = self.site.host(role);
        host.break_disk(true);
        let deadline = Instant::now() + UNNOTICED;
        while Instant::now() < deadline {
            let failed = self.site.awake(role).and_then(|server| self.site.service.failure(&server));
            if failed.is_some() {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        // In the pocket of the failed server there may be an answer that it must not give.
        sleep(Duration::from_millis(50)).await;
        self.site.crash(role).await;
        host.break_disk(false);
    }

    async fn pause(&self, role: Role, duration: Duration) {
        let Ok(_alone) = self.site.host(role).trouble().try_lock() else { return };
        self.site.count(seen::PAUSE);
        self.site.pause(role);
        sleep(duration).await;
        self.site.resume(role);
    }

    async fn blackout(&self, duration: Duration, what: &'static str) {
        let [primary, secondary, tertiary] = Role::ALL.map(|role| self.site.host(role).trouble().try_lock());
        let (Ok(_primary), Ok(_secondary), Ok(_tertiary)) = (primary, secondary, tertiary) else { return };
        self.site.count(what);
        for role in self.site.service.roles() {
            self.site.crash(*role).await;
        }
        sleep(duration).await;
        for role in self.site.service.roles() {
            self.site.start(*role).await;
        }
    }

    /// The secondary misses what primary and tertiary agree on, and then the primary is gone.
    async fn trap(&self, random: &Stream, duration: Duration) {
        let Ok(_alone) = self.site.host(Role::Primary).trouble().try_lock() else { return };
        let cut = ways_of(Role::Secondary);
        self.site.network.cut(cut);
        sleep(random.between_us(100_000, 1_500_000)).await;
        if self.site.service.master(&self.site.servers()) == Some(Role::Primary) {
            self.site.count(seen::TRAP);
        }
        self.site.crash(Role::Primary).await;
        self.site.network.mend(cut);
        sleep(duration).await;
        self.site.start(Role::Primary).await;
    }

    async fn wires(&self) {
        let random = self.site.random("troubles of the wires");
        let network = &self.site.network;
        while self.next(&random, 500_000, 5_000_000).await {
            let role = self.role(&random);
            let other = role.others()[random.below(2) as usize];
            let duration = random.between_us(20_000, 2_500_000);
            let [out, back] = between(End::Server(role), End::Server(other));
            // A single server has no wires but those of its clients.
            let least = if self.is_alone() { 60 } else { 0 };
            match least + random.below(100 - least) {
                0..25 => self.cut(&ways_of(role), duration, seen::ISOLATION).await,
                25..40 => {
                    let ways = ways_of(role);
                    let one_way = if random.chance(50) { &ways[..2] } else { &ways[2..] };
                    self.cut(one_way, duration, seen::ONE_WAY).await;
                }
                40..50 => self.cut(&[out, back], duration, seen::CUT).await,
                50..60 => self.cut(&[out], duration, seen::ONE_WAY_CUT).await,
                60..70 => {
                    self.site.count(seen::SLOW);
                    network.slow_down(random.between_us(2_000, 60_000));
                    sleep(duration).await;
                    network.slow_down(Duration::ZERO);
                }
                70..80 => {
                    self.site.count(seen::RESET);
                    network.reset(role);
                }
                _ => {
                    let client = End::Client(1 + random.below(u64::from(CLIENTS)) as u32);
                    let ways: Vec<Way> =
                        Role::ALL.iter().flat_map(|role| between(client, End::Server(*role))).collect();
                    self.cut(&ways, duration, seen::CLIENT_CUT).await;
                }
            }
        }
    }

    async fn cut(&self, ways: &[Way], duration: Duration, what: &'static str) {
        self.site.count(what);
        self.site.network.cut(ways.iter().copied());
        sleep(duration).await;
        self.site.network.mend(ways.iter().copied());
    }

    async fn clocks(&self) {
        const HOUR_MS: i64 = 3_600_000;
        let random = self.site.random("troubles of the clocks");
        while self.next(&random, 1_000_000, 8_000_000).await {
            let roles = self.site.service.roles();
            let clock = self.site.host(roles[random.below(roles.len() as u64) as usize]).clock();
            match random.below(4) {
                0 => {
                    self.site.count(seen::CLOCK_JUMP);
                    clock.jump(HOUR_MS);
                }
                1 => {
                    self.site.count(seen::CLOCK_JUMP);
                    clock.jump(-HOUR_MS);
                }
                2 => {
                    self.site.count(seen::CLOCK_DRIFT);
                    clock.drift(random.below(400) as i64 - 200);
                }
                _ => {
                    clock.jump(0);
                    clock.drift(0);
                }
            }
        }
        for role in Role::ALL {
            self.site.host(role).clock().jump(0);
            self.site.host(role).clock().drift(0);
        }
    }

    /// Waits for moments at which a crash is most likely to hurt.
    async fn ambushes(&self, moments: &mut mpsc::UnboundedReceiver<(Role, DiskMoment)>) {
        let random = self.site.random("ambushes");
        while Instant::now() < self.until {
            let waiting = tokio::time::timeout_at(self.until, moments.recv());
            let Ok(Some((role, moment))) = waiting.await else { return };
            // The rarer, the more often.
            let (in_ten_thousand, what) = match moment {
                DiskMoment::Append => (8, seen::AT_APPEND),
                DiskMoment::Vote => (600, seen::AT_VOTE),
                DiskMoment::Truncate => (6_000, seen::AT_TRUNCATE),
                DiskMoment::Purge => (1_500, seen::AT_PURGE),
                DiskMoment::Snapshot => (1_500, seen::AT_SNAPSHOT),
            };
            if random.below(10_000) < in_ten_thousand {
                sleep(random.between_us(0, 1_000)).await;
                let duration = random.between_us(5_000, 1_000_000);
                if moment == DiskMoment::Append {
                    self.blackout(duration, what).await;
                } else {
                    self.fall(role, Fall::Crash, duration, what).await;
                }
                // What happened meanwhile is over.
                while moments.try_recv().is_ok() {}
            }
        }
    }
}

/// All ways from a server to the others, then all ways back.
fn ways_of(role: Role) -> [Way; 4] {
    let [one, other] = role.others();
    let (role, one, other) = (End::Server(role), End::Server(one), End::Server(other));
    [(role, one), (role, other), (one, role), (other, role)]
}

fn between(one: End, other: End) -> [Way; 2] {
    [(one, other), (other, one)]
}
