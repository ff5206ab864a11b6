//! A number in the triad's own vendor data, which somebody counts up, one after the other: what was counted stays counted,
//! and nobody counts what somebody else has counted meanwhile.

use std::sync::{Mutex, MutexGuard, PoisonError};

use licensing_core::id::{LogIndex, Role};
use licensing_core::outcome::{Answer, Denial, Outcome};
use licensing_core::state::State;
use licensing_raft::{Node, ProposeError};

use super::names::{claim, seen};
use crate::simulation::nodes::HasNode;
use crate::simulation::service::{Service, Site};

/// Under which key it is.
const KEY: &str = "counted";

/// How far the count is, as far as anybody was told.
#[derive(Default)]
pub(super) struct Counting(Mutex<(LogIndex, u64)>);

impl Counting {
    fn told(&self) -> MutexGuard<'_, (LogIndex, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No server that has applied the last count shows less.
    pub(super) fn look<S: Service<Server: HasNode>>(&self, site: &Site<S>) {
        let (index, counted) = *self.told();
        for role in Role::ALL {
            let Some(server) = &site.servers()[role.place()] else { continue };
            let (applied, (shown, _)) = server.node().look(|state| (state.last_index(), count(state)));
            if applied >= index && shown < counted {
                let detail =
                    format!("the {role} at entry {applied} shows {shown}, entry {index} counted {counted}");
                site.fail(claim::COUNT_STAYS, detail);
            }
        }
    }
}

/// The count, and the entry that made it so.
fn count(state: &State) -> (u64, LogIndex) {
    let Some((value, set_at)) = state.triad_value(KEY) else { return (0, LogIndex(0)) };
    (value.try_into().map_or(0, u64::from_be_bytes), set_at)
}

/// Counts one up at the node that serves.
pub(super) async fn count_up<S: Service>(counting: &Counting, site: &Site<S>, node: &Node) {
    let (before, set_at) = node.look(count);
    let (next, known) = (before + 1, counting.told().0);
    match node.set_triad_data(KEY, Some(next.to_be_bytes().to_vec()), Some(set_at)).await {
        Ok(Answer { index, outcome: Outcome::VendorDataSet { set_at: Some(_) }, .. }) => {
            site.count(seen::COUNTED);
            if known > set_at {
                let detail =
                    format!("entry {index} counted {next} on {set_at}, and {known} had counted after it");
                site.fail(claim::COUNTED_IN_TURN, detail);
            }
            *counting.told() = (index, next);
        }
        // Somebody counted whose answer was lost, and this node had not applied it yet.
        Ok(Answer { outcome: Outcome::Denied(Denial::VendorDataChanged { .. }), .. }) => {}
        Err(ProposeError::NeedsEdition { .. }) => site.count(seen::COUNT_SLEPT),
        Err(_) => {}
        Ok(other) => site.fail("an operator's request is done", format!("counting: {other:?}")),
    }
}
