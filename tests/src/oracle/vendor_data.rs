//! Vendor data: every server shows with each checkout what its client keeps there, from the entry on that put it there.

use std::collections::BTreeMap;

use licensing_core::id::{Handle, LogIndex};

use super::case::{Case, whom};
use super::claim;
use crate::history::{Kind, Read, Told, vendor_data};

/// What became of the data of a checkout.
#[derive(Default)]
struct Kept {
    /// What its client may have put there when it took the seats.
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
        let mut last: BTreeMap<Handle, (LogIndex, Option<&str>)> = BTreeMap::new();
        let nothing = Kept::default();
        for read in reads {
            for held in &read.held {
                let own = kept.get(&held.handle).unwrap_or(&nothing);
                let data = held.data.as_deref();
                let is_later = data.is_some() && data == own.later.as_deref();
                if data.is_some() && !is_later && data != own.at_first.as_deref() {
                    self.odd(read, held.handle, data, "its client put something else there");
                }
                if own.later_from.is_some_and(|from| from <= read.applied) && !is_later {
                    self.odd(read, held.handle, data, "its client had put something else there");
                }
                let before = last.insert(held.handle, (read.applied, data));
                let Some((index, before)) = before.filter(|(_, before)| *before != data) else { continue };
                // It changes once, from what was there at first to what was put there later.
                if index == read.applied || !is_later {
                    self.odd(read, held.handle, data, &format!("entry {index} had {before:?}"));
                }
            }
        }
    }

    fn odd(&mut self, read: &Read, handle: Handle, data: Option<&str>, why: &str) {
        self.report(
            claim::DATA_STAYS,
            read,
            format!("{} shows {data:?} with checkout {handle}: {why}", whom(read)),
        );
    }

    fn kept(&self) -> BTreeMap<Handle, Kept> {
        let mut kept: BTreeMap<Handle, Kept> = BTreeMap::new();
        for operation in &self.history.operations {
            match (&operation.kind, &operation.told) {
                (Kind::Checkout { feature, seats }, Told::Granted { handle, .. }) => {
                    kept.entry(*handle).or_default().at_first =
                        Some(vendor_data::at_first(operation.client, feature, *seats));
                }
                (Kind::SetData { handle }, told) => {
                    let own = kept.entry(*handle).or_default();
                    own.later = Some(vendor_data::later(operation.client, *handle));
                    if let Told::DataSet { index } = told {
                        own.later_from = Some(own.later_from.map_or(*index, |from| from.min(*index)));
                    }
                }
                _ => {}
            }
        }
        self.strangers_keep(&mut kept);
        kept
    }

    /// Checkouts whose grant nobody was told of have what their session's client asked for.
    fn strangers_keep(&self, kept: &mut BTreeMap<Handle, Kept>) {
        for held in self.history.reads.iter().flat_map(|read| &read.held) {
            let own = kept.entry(held.handle).or_default();
            if own.at_first.is_none()
                && let Some((client, _)) = self.sessions.iter().find(|(_, session)| **session == held.session)
            {
                own.at_first = Some(vendor_data::at_first(*client, &held.feature, held.seats));
            }
        }
    }
}
