//! What happens to machines and disks.

use std::time::Duration;

use licensing_core::id::Role;
use tokio::time::{Instant, sleep};

use super::wires::{CLIENTS, between, ways_of};
use super::{Troubles, seen};
use crate::simulation::network::{End, Way};
use crate::simulation::random::Stream;
use crate::simulation::service::Service;

/// How a server goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fall {
    Crash,
    PowerLoss,
    Stop,
    DiskError,
    Wipe,
}

impl<S: Service> Troubles<S> {
    pub(super) async fn machines(&self) {
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
                44..62 => self.pause(role, random.between_us(20_000, 4_000_000), seen::PAUSE).await,
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

    pub(super) async fn fall(&self, role: Role, fall: Fall, duration: Duration, what: &'static str) {
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
    pub(super) fn all_ways_of(&self, role: Role) -> Vec<Way> {
        let clients = (1..=CLIENTS).map(End::Client).flat_map(|client| between(End::Server(role), client));
        ways_of(role).into_iter().chain(clients).collect()
    }

    pub(super) async fn disk_fails(&self, role: Role) {
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

    pub(super) async fn pause(&self, role: Role, duration: Duration, what: &'static str) {
        let Ok(_alone) = self.site.host(role).trouble().try_lock() else { return };
        self.site.count(what);
        self.site.pause(role);
        sleep(duration).await;
        self.site.resume(role);
    }

    pub(super) async fn blackout(&self, duration: Duration, what: &'static str) {
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
    pub(super) async fn trap(&self, random: &Stream, duration: Duration) {
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
}
