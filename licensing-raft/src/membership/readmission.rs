//! Servers that returned with less than they had acknowledged: the leader notes that it knows, and only then do they take
//! entries again.

use std::sync::PoisonError;

use crate::membership::standing::Standing;
use crate::shared::Shared;

/// Boots of peers that are remembered as readmitted.
const READMITTED: usize = 8;

/// Peers that returned with less than they had acknowledged may be brought up to date: openraft would otherwise never
/// replicate to them again.
pub(crate) async fn readmit(shared: &Shared) {
    for role in shared.config.others() {
        let Some(heard) = shared.survey.fresh(role) else { continue };
        let lost = matches!(heard.report.standing, Standing::Joining { .. } | Standing::Unborn);
        if !lost || shared.has_readmitted(heard.report.boot) {
            continue;
        }
        match shared.raft.trigger().allow_next_revert(&role.number(), true).await {
            Ok(_) => {
                tracing::info!("the {role} returned without its log, it is brought up to date");
                shared.readmit(heard.report.boot);
            }
            Err(error) => tracing::warn!("cannot readmit the {role}: {error}"),
        }
    }
}

impl Shared {
    fn readmit(&self, boot: [u8; 16]) {
        let mut readmitted = self.readmitted.lock().unwrap_or_else(PoisonError::into_inner);
        if readmitted.len() == READMITTED {
            readmitted.remove(0);
        }
        readmitted.push(boot);
    }

    fn has_readmitted(&self, boot: [u8; 16]) -> bool {
        self.readmitted.lock().unwrap_or_else(PoisonError::into_inner).contains(&boot)
    }

    /// Whether a leader that is there knows how little this server remembers.
    pub(crate) fn is_readmitted(&self) -> bool {
        self.config
            .others()
            .filter_map(|role| self.survey.fresh(role))
            .any(|heard| heard.report.leads && heard.report.readmitted.contains(&self.boot))
    }
}
