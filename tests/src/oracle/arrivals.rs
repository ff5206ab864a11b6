//! Editions of the rules, and licenses that come in the middle of a run: which of them was there at an index, as far as
//! servers showed it. Nobody but the log knows at which entry an edition was raised, so the judge keeps the last index
//! that shows it was not yet and the first that shows it was.

use std::collections::BTreeMap;

use licensing_core::id::LogIndex;

use crate::history::{History, Kind, Later, Read, Told};

/// When something began that does not end: at an entry after `not_before`, and not after `by`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) not_before: LogIndex,
    pub(super) by: Option<LogIndex>,
}

impl Beginning {
    fn absent(&mut self, at: LogIndex) {
        self.not_before = self.not_before.max(at);
    }

    fn present(&mut self, at: LogIndex) {
        self.by = Some(self.by.map_or(at, |by| by.min(at)));
    }

    pub(super) fn contradicts_itself(&self) -> bool {
        self.by.is_some_and(|by| by <= self.not_before)
    }

    /// Whether the entry at this index was certainly decided before it.
    pub(super) fn is_after(&self, index: LogIndex) -> bool {
        index <= self.not_before
    }

    /// Whether the entry at this index was certainly decided behind it.
    pub(super) fn is_before(&self, index: LogIndex) -> bool {
        self.by.is_some_and(|by| by < index)
    }
}

/// What is known of a vendor that came later.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arrival {
    /// Of the rules that allow it.
    pub(super) allowed: Beginning,
    /// Of its license.
    pub(super) served: Beginning,
}

/// What is known of the vendors that came later.
#[derive(Debug, Default)]
pub(super) struct Arrivals<'a> {
    pub(super) vendors: BTreeMap<&'a str, Arrival>,
    of_feature: BTreeMap<&'a str, &'a str>,
}

impl<'a> Arrivals<'a> {
    pub(super) fn of(history: &'a History) -> Arrivals<'a> {
        let mut arrivals = Arrivals::default();
        for (vendor, later) in &history.about.later {
            arrivals.vendors.insert(vendor, arrival(history, vendor, later));
            arrivals.of_feature.extend(later.features.iter().map(|feature| (feature.as_str(), &**vendor)));
        }
        arrivals
    }

    pub(super) fn served(&self, feature: &str) -> Option<Beginning> {
        let vendor = self.of_feature.get(feature)?;
        Some(self.vendors.get(vendor)?.served)
    }
}

fn arrival(history: &History, vendor: &str, later: &Later) -> Arrival {
    let mut arrival = Arrival::default();
    for read in &history.reads {
        match read.edition {
            Some(edition) if edition >= later.edition => arrival.allowed.present(read.applied),
            Some(_) => arrival.allowed.absent(read.applied),
            None => {}
        }
        if shows(read, later) {
            arrival.served.present(read.applied);
        } else {
            arrival.served.absent(read.applied);
        }
    }
    for operation in &history.operations {
        if let (Kind::Install { vendor: own }, Told::Installed { index }) = (&operation.kind, &operation.told)
            && own == vendor
        {
            arrival.served.present(*index);
        }
    }
    arrival
}

/// Whether a server shows what came later.
pub(super) fn shows(read: &Read, later: &Later) -> bool {
    later.features.iter().any(|feature| read.features.contains_key(feature))
}
