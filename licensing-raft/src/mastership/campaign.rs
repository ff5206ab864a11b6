//! Elections, driven by us: every server waits one lease after the last sign of a leader, and then a delay that depends
//! on its role. One that has seen no leader since its start waits for a lease only if it may have granted one before. openraft's
//! own timer would wait a random time on top, and a longer timeout for the tertiary would make it refuse the secondary for as
//! long (its own lease is that timeout). A leader whose process is dead is not waited for: see [`super::evidence`].

use std::sync::Arc;
use std::time::Duration;

use licensing_core::id::Role;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;

use crate::engine::looks::{self, LOOK};
use crate::shared::Shared;

/// Between two looks while it is this server's turn, and something forbids it.
const ITS_TURN: Duration = Duration::from_millis(5);
/// After a campaign has begun, before another may: a vote takes an fsync and a round trip.
const RETRY: Duration = Duration::from_millis(15);

/// Before that long something else than a sign does not matter, but for the leadership itself; and at a start, when a former lease
/// turns out to be void.
fn longest_wait(shared: &Shared) -> Duration {
    if shared.sign.was_seen() {
        shared.config.timings.lease() / 4
    } else {
        LOOK.min(shared.config.timings.lease() / 4)
    }
}

/// Delay behind the lease, by role: the primary first, the secondary a few round trips later. The tertiary is not meant
/// to lead: it campaigns when a candidate with a shorter log asks it for a vote (see [`crate::peer::answers`]), and by this
/// timer only when everything else has failed.
fn delay(role: Role) -> Duration {
    match role {
        Role::Primary => Duration::from_millis(2),
        Role::Secondary => Duration::from_millis(10),
        Role::Tertiary => Duration::from_millis(2000),
    }
}

/// How long after the last sign of a leader, or after its start, this server campaigns.
fn patience(shared: &Shared) -> Duration {
    let lease = match shared.sign.was_seen() || !shared.former_lease_left().is_zero() {
        true => shared.config.timings.lease(),
        false => Duration::ZERO,
    };
    // A single server waits for nobody.
    if shared.config.is_single() { Duration::ZERO } else { lease + delay(shared.config.role) }
}

/// Campaigns whenever it is this server's turn, until the node ends.
pub(crate) async fn campaign(shared: Arc<Shared>) {
    let metrics = shared.raft.metrics();
    let mut led = false;
    loop {
        let left = patience(&shared).saturating_sub(shared.sign.elapsed());
        if led {
            looks::next(shared.started, LOOK).await;
        } else if left.is_zero() {
            crate::time::sleep(ITS_TURN).await;
        } else {
            crate::time::sleep(left.min(longest_wait(&shared))).await;
        }
        let (leads, ended, members) = {
            let metrics = metrics.borrow_watched();
            let members = metrics.membership_config.membership().get_joint_config().len();
            (metrics.state == ServerState::Leader, metrics.running_state.is_err(), members)
        };
        if ended {
            return;
        }
        led = leads;
        if leads {
            // Without this a server that hands over would campaign against its own successor.
            shared.sign.note();
            continue;
        }
        let may = members > 0 && shared.standing.read().may_vote() && !shared.is_leaving();
        if may && shared.sign.elapsed() >= patience(&shared) {
            tracing::debug!("no sign of a leader for {} ms: campaigning", shared.sign.elapsed().as_millis());
            if shared.raft.trigger().elect(true).await.is_err() {
                return;
            }
            crate::time::sleep(RETRY).await;
        }
    }
}
