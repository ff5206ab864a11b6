//! How often the rarer things have happened on one server.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often the rarer things have happened on one server since its start. For metrics, and for tests that must know
/// that what they provoke did happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeCounts {
    /// Handovers this server began as a leader.
    pub handovers: u64,
    /// Handovers whose target did not take over, so that this server took the leadership back.
    pub handovers_taken_back: u64,
    /// Times the tertiary was asked for a vote by a server that lacked entries, and campaigned itself as caretaker.
    pub caretaker_campaigns: u64,
    /// Elections this server began before the lease of the leader had ended, on evidence that it was dead.
    pub elections_by_evidence: u64,
    /// Snapshots of another server's that this server took over, because it was too far behind for the log.
    pub snapshots_installed: u64,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) handovers: AtomicU64,
    pub(crate) handovers_taken_back: AtomicU64,
    pub(crate) caretaker_campaigns: AtomicU64,
    pub(crate) elections_by_evidence: AtomicU64,
    pub(crate) snapshots_installed: AtomicU64,
}

impl Counts {
    pub(crate) fn read(&self) -> NodeCounts {
        NodeCounts {
            handovers: self.handovers.load(Ordering::Relaxed),
            handovers_taken_back: self.handovers_taken_back.load(Ordering::Relaxed),
            caretaker_campaigns: self.caretaker_campaigns.load(Ordering::Relaxed),
            elections_by_evidence: self.elections_by_evidence.load(Ordering::Relaxed),
            snapshots_installed: self.snapshots_installed.load(Ordering::Relaxed),
        }
    }
}
