//! Keeps the leadership where `licensing_core::mastership` wants it: when this server leads and another should, it hands
//! over.
//!
//! openraft's `transfer_leader` neither checks its target nor ever gives up: a target that dies at that moment leaves
//! the old leader mute for good. So the target is checked before, and a watchdog ends a handover that does not end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use licensing_core::id::Role;
use licensing_core::mastership::{MastershipView, Standing, desired_master};
use licensing_core::mutant::{Mutant, planted};
use openraft::async_runtime::WatchReceiver;
use openraft::vote::RaftLeaderId;
use openraft::{Instant as _, ServerState};
use tokio::time::Instant;

use crate::looks::{self, LOOK};
use crate::node::Inner;
use crate::types::{LogId, Metrics, Types, Vote, VoteRequest};

/// A target this close to the tip catches up in a few milliseconds (measured: 5 to 17).
const MAX_LAG: u64 = 64;

/// After a handover that failed, its target is not tried again for this long.
const PENALTY: Duration = Duration::from_millis(500);

/// Hands over whenever another server should be master, until the node ends.
pub(crate) async fn pin(inner: Arc<Inner>) {
    let mut metrics = inner.raft.metrics();
    let mut led_since: Option<(u64, Instant)> = None;
    let mut penalties: BTreeMap<Role, Instant> = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            changed = metrics.changed() => if changed.is_err() { return },
            // What peers know of themselves changes without a message of openraft; only a leader asks.
            () = looks::next(inner.started, LOOK), if led_since.is_some() => {}
        }
        let now = metrics.borrow_and_update().clone();
        if now.state != ServerState::Leader {
            led_since = None;
            continue;
        }
        let since = match led_since {
            Some((term, since)) if term == now.current_term => since,
            _ => {
                led_since = Some((now.current_term, Instant::now()));
                Instant::now()
            }
        };
        readmit(&inner).await;
        if inner.is_leaving() || is_green(&inner, since) {
            continue;
        }
        penalties.retain(|_, until| Instant::now() < *until);
        let Some(target) = wanted_elsewhere(&inner, &now, &penalties) else { continue };
        if !hand_over(&inner, target).await {
            tracing::warn!("the handover to the {target} failed, this server goes on");
            penalties.insert(target, Instant::now() + PENALTY);
        }
    }
}

/// A new master stays for a few heartbeats before it may give back: the server it took over from may be on its way out.
/// A caretaker does not wait, nobody is served while it leads.
fn is_green(inner: &Inner, since: Instant) -> bool {
    let flaps = planted(Mutant::FailbackFlaps);
    !flaps && inner.config.role.may_serve() && since.elapsed() < inner.config.timings.heartbeat() * 4
}

/// Peers that returned with less than they had acknowledged may be brought up to date: openraft would otherwise never
/// replicate to them again.
async fn readmit(inner: &Inner) {
    for role in inner.config.role.others() {
        let Some(heard) = inner.survey.fresh(role) else { continue };
        let lost = matches!(
            heard.report.standing,
            crate::standing::Standing::Joining { .. } | crate::standing::Standing::Unborn
        );
        if !lost || inner.has_readmitted(heard.report.boot) {
            continue;
        }
        match inner.raft.trigger().allow_next_revert(&role.number(), true).await {
            Ok(_) => {
                tracing::info!("the {role} returned without its log, it is brought up to date");
                inner.readmit(heard.report.boot);
            }
            Err(error) => tracing::warn!("cannot readmit the {role}: {error}"),
        }
    }
}

fn wanted_elsewhere(inner: &Inner, metrics: &Metrics, penalties: &BTreeMap<Role, Instant>) -> Option<Role> {
    let own = inner.config.role;
    let (preferred, maintenance) = inner.machine.look(|state| {
        (state.preferred_master(), [Role::Primary, Role::Secondary].map(|role| state.in_maintenance(role)))
    });
    let standing = |role: Role| {
        let in_maintenance = maintenance[role.place()];
        if role == own {
            return Standing { reachable: true, caught_up: true, stable: true, in_maintenance };
        }
        peer_standing(inner, metrics, role, in_maintenance, penalties.contains_key(&role))
    };
    let view = MastershipView {
        primary_is_master: inner.config.primary_is_master,
        preferred,
        current: Some(own),
        standings: [standing(Role::Primary), standing(Role::Secondary)],
    };
    desired_master(&view).filter(|role| *role != own)
}

fn peer_standing(
    inner: &Inner,
    metrics: &Metrics,
    role: Role,
    in_maintenance: bool,
    penalty: bool,
) -> Standing {
    if planted(Mutant::BlindHandover) {
        return Standing { reachable: true, caught_up: true, stable: true, in_maintenance };
    }
    let id = role.number();
    let acked = metrics.heartbeat.as_ref().and_then(|heartbeat| heartbeat.get(&id).copied().flatten());
    let reachable = acked.is_some_and(|acked| acked.elapsed() < inner.config.timings.heartbeat() * 2);
    let matched =
        metrics.replication.as_ref().and_then(|replication| replication.get(&id).copied().flatten());
    let lag = metrics.last_log_index.unwrap_or(0).saturating_sub(matched.map_or(0, |id| id.index));
    let heard = inner.survey.fresh(role);
    let member =
        heard.as_ref().is_some_and(|heard| heard.report.standing.may_vote() && !heard.report.leaving);
    let stable = heard.is_some_and(|heard| heard.is_stable(inner.config.failback_hold));
    Standing {
        reachable: reachable && member,
        caught_up: matched.is_some() && lag <= MAX_LAG,
        stable: stable && !penalty || planted(Mutant::FailbackFlaps),
        in_maintenance,
    }
}

/// Hands leadership to `target`. `false` when it did not take it and this server leads on.
pub(crate) async fn hand_over(inner: &Inner, target: Role) -> bool {
    let _guard = inner.begin_handover();
    inner.counts.handovers.fetch_add(1, Ordering::Relaxed);
    tracing::info!("handing over to the {target}");
    if inner.raft.trigger().transfer_leader(target.number()).await.is_err() {
        return false;
    }
    let mut metrics = inner.raft.metrics();
    let still_leads =
        |metrics: &Metrics| metrics.state == ServerState::Leader && metrics.running_state.is_ok();
    let deadline = Instant::now() + inner.config.timings.heartbeat() * 3;
    loop {
        if !still_leads(&metrics.borrow_and_update()) {
            return true;
        }
        let changed = tokio::time::timeout_at(deadline, metrics.changed()).await;
        match changed {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return true,
            Err(_) => break,
        }
    }
    inner.counts.handovers_taken_back.fetch_add(1, Ordering::Relaxed);
    depose_self(inner).await;
    false
}

/// Ends a handover that the target did not complete. openraft marks the leader as "handing over" and never takes the
/// mark back; the only way to lose it is to lose the leadership. So this server makes itself vote for the other one in
/// the next term, which deposes it, and campaigns in the term after. It is safe: it only spends this server's own vote
/// of one term on a candidate that does not exist.
async fn depose_self(inner: &Inner) {
    let metrics = inner.raft.metrics().borrow_watched().clone();
    let Some(applied) = metrics.last_applied else { return };
    let other = inner.config.role.others()[0].number();
    let leader = <openraft::alias::LeaderIdOf<Types> as RaftLeaderId>::new(metrics.current_term + 1, other);
    let vote = Vote { leader_id: leader, committed: false };
    let beyond = LogId::new(*applied.committed_leader_id(), u64::MAX / 2);
    let mut request = VoteRequest::new(vote, Some(beyond));
    request.leadership_transfer = true;
    tracing::warn!("the handover did not end, taking the leadership back");
    if let Err(error) = inner.raft.vote(request).await {
        tracing::error!("cannot step down from a handover that did not end: {error}");
        return;
    }
    let _ = inner.raft.trigger().elect(false).await;
}

/// The best server to hand over to when this one stops, if there is one.
pub(crate) fn successor(inner: &Inner) -> Option<Role> {
    let metrics = inner.raft.metrics().borrow_watched().clone();
    if metrics.state != ServerState::Leader {
        return None;
    }
    inner.config.role.others().into_iter().filter(|role| role.may_serve()).find(|role| {
        let standing = peer_standing(inner, &metrics, *role, false, false);
        standing.reachable && standing.caught_up
    })
}
