//! What hosts say of their servers, to whoever aims at it.

use licensing_core::id::Role;
use licensing_raft::testing::{DiskMoment, NodeMoment};
use tokio::sync::mpsc;

/// Something that happens to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    /// Its disk is told something.
    Disk(DiskMoment),
    /// Its node has begun something.
    Node(NodeMoment),
    /// It has become master.
    Gain,
    /// It is master no more.
    Loss,
}

/// Where hosts say it.
#[derive(Clone)]
pub(crate) struct Ears {
    moments: mpsc::UnboundedSender<(Role, DiskMoment)>,
    instants: mpsc::UnboundedSender<(Role, Happening)>,
}

/// What they have said: twice, for those who aim at a disk and for those who aim at what is rare.
pub(crate) struct Heard {
    pub(crate) moments: mpsc::UnboundedReceiver<(Role, DiskMoment)>,
    pub(crate) instants: mpsc::UnboundedReceiver<(Role, Happening)>,
}

impl Ears {
    pub(crate) fn open() -> (Ears, Heard) {
        let ((moments, disk), (instants, rare)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        (Ears { moments, instants }, Heard { moments: disk, instants: rare })
    }

    /// When the run is over nobody waits for it any more.
    pub(crate) fn tell(&self, role: Role, happening: Happening) {
        if let Happening::Disk(moment) = happening {
            let _ = self.moments.send((role, moment));
        }
        if happening != Happening::Disk(DiskMoment::Append) {
            let _ = self.instants.send((role, happening));
        }
    }
}
