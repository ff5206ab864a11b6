//! Vendor data: every server shows with each checkout what its client keeps there, from the entry on that put it there. Judged are
//! the checkouts of clients that say whether they keep something with them, in the texts of [`vendor_data`].

use std::collections::BTreeMap;

use licensing_core::id::{Handle, LogIndex};

use super::case::{Case, whom};
use super::claim;
use crate::history::{Kind, Read, Told, vendor_data};

/// What belongs with a checkout.
struct Kept {
    /// What was granted with it.
    at_first: Option<String>,
    /// What its client may have put there later.
    later: Option<String>,
    /// From this entry on it is certainly the later one.
    later_from: Option<LogIndex>,
}

impl Case<'_> {
    /// What is shown is what was put there, what was put there stays, and all servers show the same at the same index.
    pub(super) fn vendor_data_is_kept(&mut self) {
        let kept = self.kept();
        let mut reads: Vec<&Read> = self.history.reads.iter().collect();
        reads.sort_by_key(|read| read.applied);
        // From which entry on a server has shown the later one.
        let mut shown_from: BTreeMap<Handle, LogIndex> = BTreeMap::new();
        let mut first_until: BTreeMap<Handle, LogIndex> = BTreeMap::new();
        for read in reads {
            for held in &read.held {
                let Some(own) = kept.get(&held.handle) else { continue };
                let data = held.data.as_deref();
                let is_later = own.later.is_some() && data == own.later.as_deref();
                let must_be_later = own.later_from.is_some_and(|from| from <= read.applied)
                    || shown_from.get(&held.handle).is_some_and(|from| *from <= read.applied);
                let is_too_early = is_later && first_until.get(&held.handle) == Some(&read.applied);
                let is_as_at_first = !must_be_later && data == own.at_first.as_deref();
                if is_too_early || !(is_later || is_as_at_first) {
                    let detail = format!("{} shows {data:?} with checkout {}", whom(read), held.handle);
                    self.report(claim::DATA_STAYS, read, detail);
                }
                let seen = if is_later { &mut shown_from } else { &mut first_until };
                seen.entry(held.handle)
                    .and_modify(|at| *at = if is_later { *at } else { read.applied })
                    .or_insert(read.applied);
            }
        }
    }

    fn kept(&mut self) -> BTreeMap<Handle, Kept> {
        let mut kept: BTreeMap<Handle, Kept> = BTreeMap::new();
        for operation in &self.history.operations {
            if let (
                Kind::Checkout { feature, seats },
                Told::Granted { handle, with_data: Some(with_data), .. },
            ) = (&operation.kind, &operation.told)
            {
                self.verdict.with_data += u64::from(*with_data);
                let at_first = with_data.then(|| vendor_data::at_first(operation.client, feature, *seats));
                kept.insert(*handle, Kept { at_first, later: None, later_from: None });
            }
        }
        for operation in &self.history.operations {
            let Kind::SetData { handle } = &operation.kind else { continue };
            let Some(own) = kept.get_mut(handle) else { continue };
            own.later = Some(vendor_data::later(operation.client, *handle));
            if let Told::DataSet { index } = operation.told {
                own.later_from = Some(own.later_from.map_or(index, |from| from.min(index)));
            }
        }
        kept
    }
}
