//! What is claimed of editions of the rules, and of licenses that come in the middle of a run.

use licensing_core::id::LogIndex;

use super::arrivals::{Arrival, Beginning, shows};
use super::case::{Case, told, whom};
use super::claim;
use super::licensed::Terms;
use super::verdict::At;
use crate::history::{Operation, Read, Told};

impl Case<'_> {
    /// What can be said of editions and licenses without a model of seats.
    pub(super) fn editions_and_licenses_stay(&mut self) {
        let mut reads: Vec<&Read> = self.history.reads.iter().filter(|read| read.edition.is_some()).collect();
        reads.sort_by_key(|read| read.applied);
        for pair in reads.windows(2) {
            let (one, other) = (pair[0], pair[1]);
            if one.edition > other.edition || (one.applied == other.applied && one.edition != other.edition) {
                let detail =
                    format!("{} applies {:?}, {} {:?}", whom(one), one.edition, whom(other), other.edition);
                self.report(claim::EDITIONS_STAY, other, detail);
            }
        }
        for (vendor, later) in &self.history.about.later {
            for read in reads.iter().copied().filter(|read| shows(read, later)) {
                if read.edition < Some(later.edition) {
                    let detail = format!("{} serves `{vendor}` in {:?}", whom(read), read.edition);
                    self.report(claim::RULES_SLEEP, read, detail);
                }
            }
            let served = self.arrivals.vendors.get(vendor.as_str()).map(|arrival| arrival.served);
            if let Some(served) = served.filter(Beginning::contradicts_itself) {
                self.report(claim::LICENSES_STAY, At::default(), format!("`{vendor}`: {served:?}"));
            }
        }
    }

    /// An administrator was told what became of a license.
    pub(super) fn install_answered(&mut self, index: LogIndex, vendor: &str, operation: &Operation) {
        let Some(Arrival { allowed, .. }) = self.arrivals.vendors.get(vendor).copied() else {
            return self.report(
                claim::DENIALS_ARE_TRUE,
                operation,
                format!("{}: nobody asks for that", told(operation)),
            );
        };
        match operation.told {
            Told::Installed { .. } if allowed.is_after(index) => {
                self.report(claim::RULES_SLEEP, operation, format!("{}, {allowed:?}", told(operation)));
            }
            Told::Installed { .. } => self.verdict.installed += 1,
            Told::Denied { .. } if !allowed.is_before(index) => self.verdict.denied += 1,
            _ => self.report(claim::DENIALS_ARE_TRUE, operation, format!("{}, {allowed:?}", told(operation))),
        }
    }

    /// A client was told that nobody licenses this.
    pub(super) fn not_licensed(&mut self, index: LogIndex, feature: &str, operation: &Operation) {
        self.verdict.denied += 1;
        let is_unnamed = self.licenses.at(feature, index).contains(&Terms::Unnamed);
        match self.arrivals.served(feature) {
            Some(served) if !served.is_before(index) => {}
            _ if is_unnamed => {}
            served => {
                self.report(claim::DENIALS_ARE_TRUE, operation, format!("{}, {served:?}", told(operation)))
            }
        }
    }

    /// A client was told of seats of this feature, so it was licensed.
    pub(super) fn was_licensed(&mut self, index: LogIndex, feature: &str, operation: &Operation) {
        if let Some(served) = self.arrivals.served(feature).filter(|served| served.is_after(index)) {
            self.report(claim::RULES_SLEEP, operation, format!("{}, {served:?}", told(operation)));
        }
    }
}
