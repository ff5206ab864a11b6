//! Handing the leadership to another server, with a watchdog: openraft's `transfer_leader` never gives up, and a target
//! that dies at that moment would leave the old leader mute for good.

use std::sync::atomic::Ordering;

use licensing_core::id::Role;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use openraft::vote::RaftLeaderId;

use crate::engine::moments::NodeMoment;
use crate::engine::types::{LogId, Metrics, Types, Vote, VoteRequest};
use crate::shared::Shared;
use crate::time::Instant;

/// Hands leadership to `target`. `false` when it did not take it and this server leads on.
pub(crate) async fn hand_over(shared: &Shared, target: Role) -> bool {
    let _guard = shared.begin_handover();
    shared.counts.handovers.fetch_add(1, Ordering::Relaxed);
    tracing::info!("handing over to the {target}");
    if shared.raft.trigger().transfer_leader(target.number()).await.is_err() {
        return false;
    }
    shared.tasks.notice(NodeMoment::HandOver);
    let mut metrics = shared.raft.metrics();
    let still_leads =
        |metrics: &Metrics| metrics.state == ServerState::Leader && metrics.running_state.is_ok();
    let deadline = Instant::now() + shared.config.timings.heartbeat() * 3;
    loop {
        if !still_leads(&metrics.borrow_and_update()) {
            return true;
        }
        let changed = crate::time::timeout_at(deadline, metrics.changed()).await;
        match changed {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return true,
            Err(_) => break,
        }
    }
    shared.counts.handovers_taken_back.fetch_add(1, Ordering::Relaxed);
    depose_self(shared).await;
    false
}

/// Ends a handover that the target did not complete. openraft marks the leader as "handing over" and never takes the
/// mark back; the only way to lose it is to lose the leadership. So this server makes itself vote for the other one in
/// the next term, which deposes it, and campaigns in the term after. It is safe: it only spends this server's own vote
/// of one term on a candidate that does not exist.
async fn depose_self(shared: &Shared) {
    let metrics = shared.raft.metrics().borrow_watched().clone();
    let Some(applied) = metrics.last_applied else { return };
    let other = shared.config.role.others()[0].number();
    let leader = <openraft::alias::LeaderIdOf<Types> as RaftLeaderId>::new(metrics.current_term + 1, other);
    let vote = Vote { leader_id: leader, committed: false };
    let beyond = LogId::new(*applied.committed_leader_id(), u64::MAX / 2);
    let mut request = VoteRequest::new(vote, Some(beyond));
    request.leadership_transfer = true;
    tracing::warn!("the handover did not end, taking the leadership back");
    if let Err(error) = shared.raft.vote(request).await {
        tracing::error!("cannot step down from a handover that did not end: {error}");
        return;
    }
    let _ = shared.raft.trigger().elect(false).await;
}

impl Shared {
    pub(crate) fn is_handing_over(&self) -> bool {
        self.handovers.load(Ordering::SeqCst) > 0
    }

    fn begin_handover(&self) -> HandoverGuard<'_> {
        self.handovers.fetch_add(1, Ordering::SeqCst);
        HandoverGuard(self)
    }
}

/// Proposals wait as long as this lives.
struct HandoverGuard<'a>(&'a Shared);

impl Drop for HandoverGuard<'_> {
    fn drop(&mut self) {
        self.0.handovers.fetch_sub(1, Ordering::SeqCst);
    }
}
