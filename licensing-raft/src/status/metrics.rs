//! Where a node stands, in numbers that go up and down.

use licensing_core::id::LogIndex;
use licensing_core::state::State;
use openraft::async_runtime::WatchReceiver;

use crate::shared::Shared;
use crate::start::MAX_PROPOSALS;

/// Where a node stands. See [`NodeCounts`](crate::NodeCounts) for what only goes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeMetrics {
    /// Number of elections that there were, as far as this server knows: Raft's term.
    pub term: u64,
    /// The last entry in this server's log.
    pub last_log_index: Option<LogIndex>,
    /// The last entry that this server has applied.
    pub applied_index: Option<LogIndex>,
    /// The last entry that its newest snapshot holds.
    pub snapshot_index: Option<LogIndex>,
    /// Sessions in the state it has applied.
    pub sessions: usize,
    /// Sessions that this server has heard of and whose silence it measures: all of them on the master, none elsewhere.
    pub heard_of: usize,
    /// Proposals under way.
    pub proposals: usize,
}

impl NodeMetrics {
    pub(crate) fn of(shared: &Shared) -> NodeMetrics {
        let metrics = shared.raft.metrics();
        let metrics = metrics.borrow_watched();
        NodeMetrics {
            term: metrics.current_term,
            last_log_index: metrics.last_log_index.map(LogIndex),
            applied_index: metrics.last_applied.map(|id| LogIndex(id.index)),
            snapshot_index: metrics.snapshot.map(|id| LogIndex(id.index)),
            sessions: shared.machine.look(State::session_count),
            heard_of: shared.signs_of_life.count(),
            proposals: MAX_PROPOSALS.saturating_sub(shared.proposals.available_permits()),
        }
    }
}
