//! Troubles within a millisecond of what happens rarely: a server is readmitted, a leadership changes hands, a license is
//! installed. Whoever it happens to, or the master, or all three, may fall, lose a disk, stand still, or be cut off.

use licensing_core::id::Role;
use licensing_raft::testing::{DiskMoment, NodeMoment};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::machines::Fall;
use super::wires::ways_of;
use super::{Troubles, seen};
use crate::simulation::happenings::Happening;
use crate::simulation::random::Stream;
use crate::simulation::service::Service;

/// How often in ten thousand times there is trouble then, and what it is called. The rarer, the more often.
fn trouble_at(happening: Happening) -> Option<(u64, &'static str)> {
    Some(match happening {
        Happening::Node(NodeMoment::Readmission) => (1_500, seen::AT_READMISSION),
        Happening::Disk(DiskMoment::Readmitted) => (1_500, seen::AT_READMISSION),
        Happening::Disk(DiskMoment::Joining) => (1_000, seen::AT_JOINING),
        Happening::Disk(DiskMoment::Founding) => (500, seen::AT_FOUNDING),
        Happening::Node(NodeMoment::HandOver) => (500, seen::AT_HANDOVER),
        Happening::Node(NodeMoment::Transfer) => (500, seen::AT_TRANSFER),
        Happening::Node(NodeMoment::Chunk) => (150, seen::AT_CHUNK),
        Happening::Disk(DiskMoment::License) => (100, seen::AT_LICENSE),
        Happening::Disk(DiskMoment::Edition) => (500, seen::AT_EDITION),
        Happening::Gain => (300, seen::AT_GAIN),
        Happening::Loss => (300, seen::AT_LOSS),
        Happening::Disk(
            DiskMoment::Append
            | DiskMoment::Vote
            | DiskMoment::Truncate
            | DiskMoment::Purge
            | DiskMoment::Snapshot,
        ) => return None,
    })
}

impl<S: Service> Troubles<S> {
    /// Waits for instants that are rare.
    pub(super) async fn at_instants(&self, instants: &mut mpsc::UnboundedReceiver<(Role, Happening)>) {
        let random = self.site.random("troubles at rare instants");
        while Instant::now() < self.until {
            let Ok(Some((role, happening))) = timeout_at(self.until, instants.recv()).await else { return };
            let Some((in_ten_thousand, what)) = trouble_at(happening) else { continue };
            if random.below(10_000) < in_ten_thousand {
                sleep(random.between_us(0, 1_000)).await;
                self.befall(role, &random, what).await;
                // What happened meanwhile is over.
                while instants.try_recv().is_ok() {}
            }
        }
    }

    /// Something happens to this server, or because of it.
    async fn befall(&self, role: Role, random: &Stream, what: &'static str) {
        let short = random.between_us(20_000, 1_500_000);
        let master = self.site.service.master(&self.site.servers()).unwrap_or(role);
        match random.below(100) {
            0..30 => self.fall(role, Fall::Crash, short, what).await,
            30..45 => self.fall(master, Fall::Crash, short, what).await,
            45..58 => self.blackout(short, what).await,
            58..66 => self.fall(role, Fall::PowerLoss, short, what).await,
            66..76 if self.site.service.can_spare_one(&self.site.servers()) => {
                self.fall(role, Fall::Wipe, short, what).await;
            }
            76..88 if !self.is_alone() => self.cut(&ways_of(role), short, what).await,
            _ => self.pause(role, short, what).await,
        }
    }
}
