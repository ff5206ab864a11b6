//! Servers that returned with less than they had acknowledged: the leader notes that it knows, and only then do they take
//! entries again, and only its own.

use licensing_core::id::Role;
use openraft::async_runtime::WatchReceiver;

use crate::engine::moments::NodeMoment;
use crate::membership::standing::Standing;
use crate::shared::Shared;
use crate::time::Instant;

/// Peers that returned with less than they had acknowledged may be brought up to date: openraft would otherwise never
/// replicate to them again.
pub(crate) async fn readmit(shared: &Shared) {
    for role in shared.config.others() {
        let Some(heard) = shared.survey.fresh(role) else { continue };
        let boot = heard.report.boot;
        let lost = matches!(heard.report.standing, Standing::Joining { .. } | Standing::Unborn);
        if !lost || shared.returned.boots().contains(&boot) {
            continue;
        }
        let since = shared.returned.known_since(role, boot);
        if !third_follows(shared, role, since) {
            continue;
        }
        match shared.raft.trigger().allow_next_revert(&role.number(), true).await {
            Ok(_) => {
                tracing::info!("the {role} returned without its log, it is brought up to date");
                shared.returned.note(boot);
                shared.tasks.notice(NodeMoment::Readmission);
            }
            Err(error) => tracing::warn!("cannot readmit the {role}: {error}"),
        }
    }
}

/// Whether the third server has answered this leader since `lost` returned. If it has not, it may have elected another one
/// together with `lost`, and what the two decided is in neither log that is left: a leader that was cut off would make a
/// quorum with an empty server.
fn third_follows(shared: &Shared, lost: Role, since: Instant) -> bool {
    let metrics = shared.raft.metrics();
    let metrics = metrics.borrow_watched();
    let since = since.elapsed();
    // An answer may stand for an append that was made so much later (see `pipelined`).
    let needed = shared.networks.append_patience;
    shared.config.others().filter(|role| *role != lost).any(|third| {
        let acked =
            metrics.heartbeat.as_ref().and_then(|acked| acked.get(&third.number()).copied().flatten());
        acked.is_some_and(|acked| acked.elapsed() + needed < since)
    })
}

impl Shared {
    /// Whether `peer` leads and knows how little this server remembers.
    pub(crate) fn is_readmitted_by(&self, peer: Role) -> bool {
        self.survey
            .fresh(peer)
            .is_some_and(|heard| heard.report.leads && heard.report.readmitted.contains(&self.boot))
    }
}
