//! Who may serve, as one server sees it.
//!
//! "Leader" is not "may serve": a leader that has lost its quorum does not know it, and one that is handing over has
//! already stopped. A server serves when it leads, is not the tertiary, is not handing over, has applied an entry of
//! its own term, a quorum has answered it within the lease minus a margin, and it has a connection left with somebody.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::id::Role;
use licensing_core::mutant::{Mutant, planted};
use openraft::RaftMetrics;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;

use super::Mastership;
use crate::engine::looks::{self, LOOK};
use crate::engine::types::Types;
use crate::engine::watch::Watched;
use crate::shared::Shared;

/// Shortest time between two looks, for a lease that ends right now, and for a leader that is about to get its first.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Keeps the watched mastership true until the node ends.
pub(crate) async fn publish(shared: Arc<Shared>, sender: Watched<Mastership>) {
    let mut metrics = shared.raft.metrics();
    let mut news = shared.lives.news();
    loop {
        let (now, lease_left) = {
            let metrics = metrics.borrow_watched();
            (judge(&shared, &metrics), lease_left(&shared, &metrics))
        };
        sender.send_if_modified(|last| {
            let changed = *last != now;
            if changed && (last.master, last.serving) != (now.master, now.serving) {
                match now.master {
                    Some(role) if now.serving => tracing::info!("this server is master ({role})"),
                    Some(role) => tracing::info!("the master is the {role}"),
                    None => tracing::info!("there is no master in sight"),
                }
            }
            *last = now;
            changed
        });
        tokio::select! {
            biased;
            changed = metrics.changed() => if changed.is_err() {
                // openraft has ended, in a panic perhaps: nothing is known any more.
                sender.send_replace(Mastership::unknown(shared.config.role));
                return;
            },
            _ = news.changed() => {}
            () = next_look(&shared, lease_left) => {}
        }
    }
}

/// Mastership as it is at this moment. The watched one is a few milliseconds old, and older when this process was
/// stopped in between: what is answered without a quorum must not rely on it.
pub(crate) fn now(shared: &Shared) -> Mastership {
    if planted(Mutant::PublishedMastership) {
        return *shared.mastership.borrow();
    }
    judge(shared, &shared.raft.metrics().borrow_watched())
}

/// What is left of the lease that matters to this server if nothing more is heard: its own, or the one it has granted.
/// `None` if it has ended, or if something else may change before its end.
fn lease_left(shared: &Shared, metrics: &RaftMetrics<Types>) -> Option<Duration> {
    let timings = &shared.config.timings;
    if shared.config.is_single() {
        return None;
    }
    if metrics.state == ServerState::Leader {
        let own = timings.lease().saturating_sub(timings.lease_margin());
        let left =
            metrics.last_quorum_acked.map_or(Duration::ZERO, |acked| own.saturating_sub(acked.elapsed()));
        // A leader may be asked to stop, or begin to hand over, without a message.
        return (left < LOOK).then_some(left);
    }
    let granted = timings.lease().saturating_sub(shared.sign.elapsed());
    (!granted.is_zero()).then_some(granted)
}

/// Waits until the lease ends, or else for the next look.
async fn next_look(shared: &Shared, lease_left: Option<Duration>) {
    match lease_left {
        Some(left) => crate::time::sleep(left.max(SHORTEST_WAIT)).await,
        None => looks::next(shared.started, LOOK).await,
    }
}

fn judge(shared: &Shared, metrics: &RaftMetrics<Types>) -> Mastership {
    let own_role = shared.config.role;
    let timings = &shared.config.timings;
    if metrics.running_state.is_err() || shared.failure.is_some() {
        return Mastership::unknown(own_role);
    }
    if metrics.state == ServerState::Leader {
        let quorum = metrics
            .last_quorum_acked
            .is_some_and(|acked| acked.elapsed() < timings.lease().saturating_sub(timings.lease_margin()));
        // A single server is its own quorum: nobody else can be elected meanwhile.
        let quorum = quorum || shared.config.is_single() || planted(Mutant::LeaseIgnored);
        let settled = metrics
            .last_applied
            .is_some_and(|applied| **applied.committed_leader_id() == metrics.current_term);
        let entitled = own_role.may_serve() || planted(Mutant::TertiaryServes);
        // Nobody can have heard it, whatever the lease says: it has no way left to either of the others.
        let quorum = quorum && !shared.lives.is_cut_off();
        let serving = entitled && quorum && settled && !shared.is_handing_over();
        return Mastership { own_role, master: serving.then_some(own_role), serving, quorum };
    }
    let hears_leader = shared.sign.elapsed() < timings.lease();
    let leader = metrics.current_leader.and_then(Role::from_number).filter(|_| hears_leader);
    Mastership {
        own_role,
        master: leader.filter(|role| role.may_serve() && *role != own_role),
        serving: false,
        quorum: leader.is_some(),
    }
}
