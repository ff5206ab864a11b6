//! What can be said without a model of seats: each entry answers once, and the log agrees with the order of events.

use licensing_core::id::LogIndex;

use super::case::{Case, told};
use super::claim;
use crate::history::Operation;

impl Case<'_> {
    /// Everything that can be said without a model.
    pub(super) fn operations_are_in_order(&mut self) {
        let answered = self.history.operations.iter();
        let mut answered: Vec<(LogIndex, &Operation)> =
            answered.filter_map(|operation| Some((operation.told.index()?, operation))).collect();
        answered.sort_by_key(|(index, _)| *index);
        let mut last_invoked: Option<(LogIndex, &Operation)> = None;
        for pair in answered.windows(2) {
            let ((one, first), (other, second)) = (pair[0], pair[1]);
            if one == other {
                let detail = format!("entry {one} answers {} and {}", told(first), told(second));
                self.report(claim::ONE_ENTRY_ONE_ANSWER, second, detail);
            }
        }
        for (index, operation) in answered {
            if let Some((before, later)) = last_invoked
                && operation.completed_us.is_some_and(|completed| completed < later.invoked_us)
            {
                let detail = format!(
                    "{} was over before {} began, and is decided by entry {index}, later than entry {before}",
                    told(operation),
                    told(later)
                );
                self.report(claim::REAL_TIME_ORDER, later, detail);
            }
            if last_invoked.is_none_or(|(_, later)| later.invoked_us < operation.invoked_us) {
                last_invoked = Some((index, operation));
            }
        }
    }
}
