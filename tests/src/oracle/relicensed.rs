//! What administrators and clients were told of what is licensed, compared with what was.

use licensing_core::id::LogIndex;

use super::case::{Case, told};
use super::claim;
use super::licensed::Terms;
use super::verdict::At;
use crate::history::{Operation, Told};

impl Case<'_> {
    /// Each entry has one time, and later ones no earlier one.
    pub(super) fn time_goes_on(&mut self) {
        let dates: Vec<_> = self.history.dates.iter().copied().collect();
        for pair in dates.windows(2) {
            let (one, other) = (pair[0], pair[1]);
            if other.at_ms < one.at_ms || (one.index == other.index && one.at_ms != other.at_ms) {
                let detail = format!(
                    "entry {} is of {} ms, entry {} of {} ms",
                    one.index, one.at_ms, other.index, other.at_ms
                );
                self.report(claim::TIME_GOES_ON, At::default(), detail);
            }
        }
    }

    /// An administrator was told what became of a license.
    pub(super) fn relicensed(&mut self, operation: &Operation) {
        match operation.told {
            Told::Installed { .. } => self.verdict.installed += 1,
            // Another license came between: nothing was done.
            Told::Denied { .. } => self.verdict.denied += 1,
            _ => self.report(claim::DENIALS_ARE_TRUE, operation, told(operation)),
        }
    }

    /// The license does not give what was asked for, whoever holds what; the reason must be one of what it may say.
    pub(super) fn not_given(
        &mut self,
        index: LogIndex,
        feature: &str,
        operation: &Operation,
        is_true: impl Fn(Terms) -> bool,
    ) {
        self.verdict.denied += 1;
        let terms = self.licenses.at(feature, index);
        if !terms.iter().any(|terms| is_true(*terms)) {
            let detail = format!("{}, and licensed is {terms:?}", told(operation));
            self.report(claim::DENIALS_ARE_TRUE, operation, detail);
        }
    }
}
