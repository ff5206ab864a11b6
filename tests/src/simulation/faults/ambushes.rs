//! Crashes at moments that are rarely hit by chance: when a disk is told something.

use licensing_core::id::Role;
use licensing_raft::testing::DiskMoment;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::machines::Fall;
use super::{Troubles, seen};
use crate::simulation::service::Service;

impl<S: Service> Troubles<S> {
    /// Waits for moments at which a crash is most likely to hurt.
    pub(super) async fn ambushes(&self, moments: &mut mpsc::UnboundedReceiver<(Role, DiskMoment)>) {
        let random = self.site.random("ambushes");
        while Instant::now() < self.until {
            let waiting = tokio::time::timeout_at(self.until, moments.recv());
            let Ok(Some((role, moment))) = waiting.await else { return };
            // The rarer, the more often.
            let (in_ten_thousand, what) = match moment {
                DiskMoment::Append | DiskMoment::License | DiskMoment::Edition => (8, seen::AT_APPEND),
                DiskMoment::Vote => (600, seen::AT_VOTE),
                DiskMoment::Truncate => (6_000, seen::AT_TRUNCATE),
                DiskMoment::Purge => (1_500, seen::AT_PURGE),
                DiskMoment::Snapshot => (1_500, seen::AT_SNAPSHOT),
                // Standings have troubles of their own.
                DiskMoment::Founding | DiskMoment::Joining | DiskMoment::Readmitted => continue,
            };
            if random.below(10_000) < in_ten_thousand {
                sleep(random.between_us(0, 1_000)).await;
                let duration = random.between_us(5_000, 1_000_000);
                if what == seen::AT_APPEND {
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
