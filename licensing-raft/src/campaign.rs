//! Elections, driven by us: every server waits one lease after the last sign of a leader, and then a delay that depends
//! on its role. openraft's own timer would wait a random time on top, and a longer timeout for the tertiary would make
//! it refuse the secondary for as long (its own lease is that timeout).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use licensing_core::id::Role;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use tokio::time::Instant;

use crate::looks::{self, LOOK};
use crate::node::Inner;

/// Between two looks while it is this server's turn, and something forbids it.
const ITS_TURN: Duration = Duration::from_millis(5);
/// After a campaign has begun, before another may: a vote takes an fsync and a round trip.
const RETRY: Duration = Duration::from_millis(15);

/// Delay behind the lease, by role: the primary first, the secondary a few round trips later. The tertiary is not meant
/// to lead: it campaigns when a candidate with a shorter log asks it for a vote (see [`crate::desk`]), and by this
/// timer only when everything else has failed.
fn delay(role: Role) -> Duration {
    match role {
        Role::Primary => Duration::from_millis(2),
        Role::Secondary => Duration::from_millis(10),
        Role::Tertiary => Duration::from_millis(2000),
    }
}

/// When this server last saw a sign of a leader: an append, a vote it gave, its own leadership.
pub(crate) struct LeaderSign(Mutex<Instant>);

impl LeaderSign {
    pub(crate) fn new() -> LeaderSign {
        LeaderSign(Mutex::new(Instant::now()))
    }

    pub(crate) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// Campaigns whenever it is this server's turn, until the node ends.
pub(crate) async fn campaign(inner: Arc<Inner>) {
    let patience = inner.config.timings.lease() + delay(inner.config.role);
    // Before that long something else than a sign does not matter, but for the leadership itself.
    let longest_wait = inner.config.timings.lease() / 4;
    let metrics = inner.raft.metrics();
    let mut led = false;
    loop {
        let left = patience.saturating_sub(inner.sign.elapsed());
        if led {
            looks::next(inner.started, LOOK).await;
        } else if left.is_zero() {
            tokio::time::sleep(ITS_TURN).await;
        } else {
            tokio::time::sleep(left.min(longest_wait)).await;
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
            inner.sign.note();
            continue;
        }
        let may = members > 0 && inner.standing.read().may_vote() && !inner.is_leaving();
        if may && inner.sign.elapsed() >= patience {
            tracing::debug!("no sign of a leader for {} ms: campaigning", inner.sign.elapsed().as_millis());
            if inner.raft.trigger().elect(true).await.is_err() {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
