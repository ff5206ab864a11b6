//! Keeps the leadership where `licensing_core::mastership` wants it: when this server leads and another should, it hands
//! over.
//!
//! openraft's `transfer_leader` neither checks its target nor ever gives up: a target that dies at that moment leaves
//! the old leader mute for good. So the target is checked before, and a watchdog ends a handover that does not end.

use std::sync::Arc;

use licensing_core::id::Role;
use licensing_core::mastership::{Candidate, MastershipView, desired_master};
use licensing_core::mutant::{Mutant, planted};
use licensing_core::state::State;
use openraft::ServerState;

use crate::engine::looks::{self, LOOK};
use crate::engine::types::Metrics;
use crate::mastership::handover::hand_over;
use crate::membership::readmission;
use crate::shared::Shared;
use crate::time::Instant;

/// A target this close to the tip catches up in a few milliseconds (measured: 5 to 17).
const MAX_LAG: u64 = 64;

/// Hands over whenever another server should be master, until the node ends.
pub(crate) async fn pin(shared: Arc<Shared>) {
    let mut metrics = shared.raft.metrics();
    let mut led_since: Option<(u64, Instant)> = None;
    let mut asked_for = None;
    loop {
        tokio::select! {
            biased;
            changed = metrics.changed() => if changed.is_err() { return },
            // What peers know of themselves changes without a message of openraft; only a leader asks.
            () = looks::next(shared.started, LOOK), if led_since.is_some() => {}
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
                shared.patience.leads_again(|role| Some(shared.survey.of(role)?.at));
                Instant::now()
            }
        };
        readmission::readmit(&shared).await;
        if shared.is_leaving() || is_green(&shared, since) {
            continue;
        }
        let preferred = shared.machine.look(State::preferred_master);
        if let Some(role) = preferred.filter(|_| preferred != asked_for) {
            shared.patience.forget(role);
        }
        asked_for = preferred;
        let Some(target) = wanted_elsewhere(&shared, &now) else { continue };
        let boot = shared.survey.of(target).map(|heard| heard.report.boot);
        if hand_over(&shared, target).await {
            boot.inspect(|boot| shared.patience.taken(target, *boot));
        } else {
            tracing::warn!("the handover to the {target} failed, this server goes on");
            shared.patience.failed(target);
        }
    }
}

/// A new master stays for a few heartbeats before it may give back: the server it took over from may be on its way out.
/// A caretaker does not wait, nobody is served while it leads.
fn is_green(shared: &Shared, since: Instant) -> bool {
    let flaps = planted(Mutant::FailbackFlaps);
    !flaps && shared.config.role.may_serve() && since.elapsed() < shared.config.timings.heartbeat() * 4
}

fn wanted_elsewhere(shared: &Shared, metrics: &Metrics) -> Option<Role> {
    let own = shared.config.role;
    let (preferred, maintenance) = shared.machine.look(|state| {
        (state.preferred_master(), [Role::Primary, Role::Secondary].map(|role| state.in_maintenance(role)))
    });
    let candidate = |role: Role| {
        let in_maintenance = maintenance[role.place()];
        if role == own {
            return Candidate { reachable: true, caught_up: true, stable: true, in_maintenance };
        }
        if let Some(heard) = shared.survey.fresh(role) {
            shared.patience.heard(role, heard.at, heard.report.boot);
        }
        peer_candidate(shared, metrics, role, in_maintenance, shared.patience.spares(role))
    };
    let view = MastershipView {
        primary_is_master: shared.config.primary_is_master,
        preferred,
        current: Some(own),
        candidates: [candidate(Role::Primary), candidate(Role::Secondary)],
    };
    desired_master(&view).filter(|role| *role != own)
}

pub(super) fn peer_candidate(
    shared: &Shared,
    metrics: &Metrics,
    role: Role,
    in_maintenance: bool,
    is_spared: bool,
) -> Candidate {
    if planted(Mutant::BlindHandover) {
        return Candidate { reachable: true, caught_up: true, stable: true, in_maintenance };
    }
    let id = role.number();
    let acked = metrics.heartbeat.as_ref().and_then(|heartbeat| heartbeat.get(&id).copied().flatten());
    let reachable = acked.is_some_and(|acked| acked.elapsed() < shared.config.timings.heartbeat() * 2);
    let matched =
        metrics.replication.as_ref().and_then(|replication| replication.get(&id).copied().flatten());
    let lag = metrics.last_log_index.unwrap_or(0).saturating_sub(matched.map_or(0, |id| id.index));
    let heard = shared.survey.fresh(role);
    let member =
        heard.as_ref().is_some_and(|heard| heard.report.standing.may_vote() && !heard.report.leaving);
    let stable = heard.is_some_and(|heard| heard.is_stable(shared.config.failback_hold));
    Candidate {
        reachable: reachable && member,
        caught_up: matched.is_some() && lag <= MAX_LAG,
        stable: stable && !is_spared || planted(Mutant::FailbackFlaps),
        in_maintenance,
    }
}
