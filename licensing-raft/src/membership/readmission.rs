//! Servers that returned with less than they had acknowledged: the leader notes that it knows, and only then do they take
//! entries again, and only its own.

use std::time::Duration;

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
    let inexact = shared.networks.append_patience;
    shared.config.others().filter(|role| *role != lost).any(|third| {
        let acked =
            metrics.heartbeat.as_ref().and_then(|acked| acked.get(&third.number()).copied().flatten());
        acked.is_some_and(|acked| is_newer(acked.elapsed(), inexact, since))
    })
}

/// Whether what was answered so long ago was asked after something that happened `since` ago. An answer may stand for an append
/// that was made later than the one it answers, by as much as it is `inexact` (see `pipelined`).
fn is_newer(answered: Duration, inexact: Duration, since: Duration) -> bool {
    answered + inexact < since
}

impl Shared {
    /// Whether `peer` leads and knows how little this server remembers.
    pub(crate) fn is_readmitted_by(&self, peer: Role) -> bool {
        self.survey
            .fresh(peer)
            .is_some_and(|heard| heard.report.leads && heard.report.readmitted.contains(&self.boot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_may_be_older_than_the_loss_counts_for_nothing() {
        let ms = Duration::from_millis;
        for (answered, since, expected) in [
            (0, 100, true),
            (84, 100, true),
            (85, 100, false),
            (99, 100, false),
            (100, 100, false),
            (0, 15, false),
        ] {
            assert_eq!(is_newer(ms(answered), ms(15), ms(since)), expected, "{answered} of {since}");
        }
    }
}
