//! Giving the mastership away because somebody asks, not because another server should have it.

use licensing_core::id::Role;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;

use crate::error::ProposeError;
use crate::mastership::handover::hand_over;
use crate::mastership::pin::peer_candidate;
use crate::shared::Shared;

/// Why the mastership was not handed over: this server goes on with it, if it had it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandOverError {
    /// This server has nothing to hand over.
    #[error(transparent)]
    NotServing(#[from] ProposeError),
    /// None of the others can take it.
    #[error(
        "no other server can take the mastership now: look at their status, and try again once one has caught up"
    )]
    Nobody,
    /// The one that was asked did not.
    #[error("the {role} did not take the mastership, this server goes on: look at its log")]
    NotTaken {
        /// Which one.
        role: Role,
    },
}

/// Hands the mastership to the best other server; gives the one that took it.
pub(crate) async fn to_the_best(shared: &Shared) -> Result<Role, HandOverError> {
    shared.ensure_serving()?;
    let role = successor(shared).ok_or(HandOverError::Nobody)?;
    if hand_over(shared, role).await { Ok(role) } else { Err(HandOverError::NotTaken { role }) }
}

/// The best server to hand over to, if there is one.
pub(crate) fn successor(shared: &Shared) -> Option<Role> {
    let metrics = shared.raft.metrics().borrow_watched().clone();
    if metrics.state != ServerState::Leader {
        return None;
    }
    shared.config.others().filter(|role| role.may_serve()).find(|role| {
        let candidate = peer_candidate(shared, &metrics, *role, false, false);
        candidate.reachable && candidate.caught_up
    })
}
