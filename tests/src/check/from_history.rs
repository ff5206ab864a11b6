//! Recorded histories for judges that use no log index, though the answers have one: what such a judge says of a run
//! owes nothing to what the servers claim about the order of things.
//!
//! What the servers *show* is left out: their status pages may be out of date, which is allowed, so they are no counts.
//! So are denials for other reasons than too few seats, and what certainly was not done.

use std::collections::BTreeMap;

use super::seats::{CheckinAnswer, CheckoutAnswer, Holder, Kind, Operation};
use super::semaphore::{BUDGET, Judgement, judge};
use crate::history::{self, History, Told};

/// The operations on one feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Seats there are.
    pub capacity: u64,
    /// In the order of the history.
    pub operations: Vec<Operation>,
}

/// Judges every feature of a history without looking at a log index.
pub fn judge_blind(history: &History) -> Vec<(Feature, Judgement)> {
    let judged = |feature: Feature| {
        let judgement = judge(feature.capacity, &feature.operations, BUDGET);
        (feature, judgement)
    };
    features(history).into_iter().map(judged).collect()
}

/// The operations of each feature, in the order of the names. A feature that is asked for and not licensed has no seats.
pub fn features(history: &History) -> Vec<Feature> {
    let mut sorter = Sorter::new(history);
    history.operations.iter().for_each(|operation| sorter.sort(operation));
    history.operations.iter().for_each(|operation| sorter.lost_session(operation));
    history.vanished.iter().for_each(|vanished| sorter.may_end(vanished.client, vanished.kept_until_us));
    sorter.closed_sessions(history);
    sorter.explain_strays();
    let is_constant = |feature: &Feature| !changes(history, &feature.name);
    sorter.features.into_values().filter(is_constant).collect()
}

/// Whether it depends on the day or on the license of the moment how many seats there are: nobody without an index can tell then.
fn changes(history: &History, feature: &str) -> bool {
    let relicensed = history.operations.iter().any(|operation| match &operation.kind {
        history::Kind::Relicense { licensed } => licensed.contains_key(feature),
        _ => false,
    });
    relicensed || history.about.dated.contains_key(feature)
}

/// A checkout as far as it is known.
struct Checkout {
    holder: Holder,
    client: u32,
    feature: String,
    invoked_us: u64,
    /// Whether its client was never told of it.
    unknown: bool,
}

struct Sorter<'a> {
    features: BTreeMap<String, Feature>,
    /// Of handles that were granted.
    feature_of: BTreeMap<u64, &'a str>,
    checkouts: Vec<Checkout>,
    /// Checkins of handles that nobody was told of.
    strays: Vec<Operation>,
    /// Larger than any handle: names for checkouts whose handle nobody knows.
    next_holder: u64,
}

impl<'a> Sorter<'a> {
    fn new(history: &'a History) -> Sorter<'a> {
        let feature = |(name, seats): (&String, &licensing_core::id::Seats)| {
            let feature =
                Feature { name: name.clone(), capacity: u64::from(seats.0), operations: Vec::new() };
            (name.clone(), feature)
        };
        let granted =
            history.operations.iter().filter_map(|operation| match (&operation.kind, &operation.told) {
                (history::Kind::Checkout { feature, .. }, Told::Granted { handle, .. }) => {
                    Some((handle.0, feature.as_str()))
                }
                _ => None,
            });
        let named =
            history.operations.iter().filter_map(|operation| match (&operation.kind, &operation.told) {
                (
                    history::Kind::Checkin { handle }
                    | history::Kind::GiveBack { handle }
                    | history::Kind::Remove { handle },
                    _,
                ) => Some(handle.0),
                (_, Told::Granted { handle, .. }) => Some(handle.0),
                _ => None,
            });
        Sorter {
            features: history.about.licensed.iter().map(feature).collect(),
            feature_of: granted.collect(),
            checkouts: Vec::new(),
            strays: Vec::new(),
            next_holder: named.max().map_or(0, |largest| largest.saturating_add(1)),
        }
    }

    fn add(&mut self, feature: &str, operation: Operation) {
        let new = || Feature { name: feature.to_owned(), capacity: 0, operations: Vec::new() };
        self.features.entry(feature.to_owned()).or_insert_with(new).operations.push(operation);
    }

    fn sort(&mut self, operation: &history::Operation) {
        let timed = |kind| Operation {
            client: operation.client,
            kind,
            invoked_us: operation.invoked_us,
            completed_us: operation.completed_us,
        };
        match &operation.kind {
            history::Kind::Open
            | history::Kind::SetData { .. }
            | history::Kind::Install { .. }
            | history::Kind::Relicense { .. }
            | history::Kind::Count { .. }
            | history::Kind::Close => {}
            history::Kind::Checkout { feature, seats } => {
                let (holder, answer) = match operation.told {
                    Told::Granted { handle, .. } => (Holder(handle.0), CheckoutAnswer::Granted),
                    Told::NoFreeSeats { in_use, .. } => {
                        (self.new_holder(), CheckoutAnswer::Denied { in_use: Some(u64::from(in_use.0)) })
                    }
                    Told::NoSeats { .. } => (self.new_holder(), CheckoutAnswer::Denied { in_use: None }),
                    Told::Unknown { .. } | Told::GivenUp => (self.new_holder(), CheckoutAnswer::Unknown),
                    _ => return,
                };
                if !matches!(answer, CheckoutAnswer::Denied { .. }) {
                    self.checkouts.push(Checkout {
                        holder,
                        client: operation.client,
                        feature: feature.clone(),
                        invoked_us: operation.invoked_us,
                        unknown: answer == CheckoutAnswer::Unknown,
                    });
                }
                self.add(feature, timed(Kind::Checkout { holder, seats: u64::from(seats.0), answer }));
            }
            history::Kind::Checkin { handle }
            | history::Kind::GiveBack { handle }
            | history::Kind::Remove { handle } => {
                let answer = match operation.told {
                    Told::Returned { .. } => CheckinAnswer::Returned,
                    Told::UnknownHandle { .. } => CheckinAnswer::NotHeld,
                    Told::Unknown { .. } | Told::GivenUp => CheckinAnswer::Unknown,
                    _ => return,
                };
                let checkin = timed(Kind::Checkin { holder: Holder(handle.0), answer });
                match self.feature_of.get(&handle.0).copied() {
                    Some(feature) => self.add(feature, checkin),
                    None if answer == CheckinAnswer::NotHeld => {}
                    None => self.strays.push(checkin),
                }
            }
        }
    }

    fn new_holder(&mut self) -> Holder {
        self.next_holder += 1;
        Holder(self.next_holder - 1)
    }

    /// A client that is told that its session is gone may have lost all it had before, nobody knows when.
    fn lost_session(&mut self, operation: &history::Operation) {
        if operation.told == Told::SessionLost {
            self.may_end(operation.client, 0);
        }
    }

    /// What a client held that ended its session may be back from then on.
    fn closed_sessions(&mut self, history: &History) {
        for operation in history.operations.iter().filter(|operation| operation.kind == history::Kind::Close)
        {
            self.may_end(operation.client, operation.invoked_us);
        }
    }

    /// Everything of this client may end from this moment on.
    fn may_end(&mut self, client: u32, from_us: u64) {
        self.end_those(from_us, |checkout| checkout.client == client);
    }

    fn end_those(&mut self, from_us: u64, which: impl Fn(&Checkout) -> bool) {
        let ends: Vec<(String, Operation)> = self
            .checkouts
            .iter()
            .filter(|checkout| which(checkout))
            .map(|checkout| {
                let kind = Kind::MayEnd { holder: checkout.holder };
                let invoked_us = from_us.max(checkout.invoked_us);
                (
                    checkout.feature.clone(),
                    Operation { client: checkout.client, kind, invoked_us, completed_us: None },
                )
            })
            .collect();
        ends.into_iter().for_each(|(feature, end)| self.add(&feature, end));
    }

    /// A checkin of what nobody was told of can only be of a checkout that was never answered, nobody knows which: each
    /// of them may have ended by it. When there is none, nothing explains it, and it is judged on its own.
    fn explain_strays(&mut self) {
        for stray in std::mem::take(&mut self.strays) {
            let until_us = stray.until_us();
            let explains = |checkout: &Checkout| checkout.unknown && checkout.invoked_us <= until_us;
            if self.checkouts.iter().any(explains) {
                self.end_those(stray.invoked_us, explains);
            } else if !stray.is_unknown() {
                self.add(NO_FEATURE, stray);
            }
        }
    }
}

/// Where checkins are judged that belong to no feature.
const NO_FEATURE: &str = "(no feature)";

#[cfg(test)]
#[path = "from_history_tests.rs"]
mod tests;
