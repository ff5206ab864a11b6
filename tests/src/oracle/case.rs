//! One history under judgement: what is known of it so far, and what was found untrue.

use std::collections::BTreeMap;
use std::fmt::Display;

use licensing_core::id::{Handle, LogIndex, Seats, SessionId};

use super::arrivals::Arrivals;
use super::licensed::{Licenses, Terms};
use super::verdict::{At, Verdict, Violation};
use crate::history::{History, Operation, Read, Told};

/// Violations told of each claim; the first ones matter.
const TOLD: usize = 5;

/// What a client was granted and holds until it is known to have been returned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grant<'a> {
    pub(super) client: u32,
    pub(super) index: LogIndex,
    pub(super) feature: &'a str,
    pub(super) seats: Seats,
    /// A checkin of unknown outcome may have returned it.
    pub(super) may_be_gone: bool,
}

/// Seats of a feature at an index: at least, at most.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    pub(super) low: u64,
    pub(super) high: u64,
}

/// A checkout that a server showed and no client was told of.
pub(super) type Stranger<'a> = (SessionId, &'a str, Seats);

/// What is judged.
pub(super) struct Case<'a> {
    pub(super) history: &'a History,
    /// When and with which index answers came, by time; the index is the largest so far.
    pub(super) heard: Vec<(u64, LogIndex)>,
    pub(super) sessions: BTreeMap<u32, SessionId>,
    pub(super) held: BTreeMap<Handle, Grant<'a>>,
    pub(super) returned: BTreeMap<Handle, LogIndex>,
    pub(super) granted: BTreeMap<Handle, LogIndex>,
    pub(super) bounds: BTreeMap<&'a str, Bounds>,
    pub(super) strangers: BTreeMap<Stranger<'a>, BTreeMap<Handle, &'a Read>>,
    /// What each client asked for without being told of it: it may be out.
    pub(super) maybe_granted: BTreeMap<u32, Vec<(&'a str, Seats)>>,
    /// Sessions that are over, and since which entry.
    pub(super) over: BTreeMap<SessionId, LogIndex>,
    pub(super) arrivals: Arrivals<'a>,
    pub(super) licenses: Licenses<'a>,
    pub(super) verdict: Verdict,
    pub(super) found: Vec<Violation>,
    /// How often a claim was untrue besides.
    more: BTreeMap<&'static str, u64>,
}

impl<'a> Case<'a> {
    pub(super) fn new(history: &'a History) -> Case<'a> {
        let mut heard: Vec<(u64, LogIndex)> = history
            .operations
            .iter()
            .filter_map(|operation| Some((operation.completed_us?, operation.told.index()?)))
            .collect();
        heard.sort_unstable();
        let mut largest = LogIndex(0);
        for (_, index) in &mut heard {
            largest = largest.max(*index);
            *index = largest;
        }
        let session = |operation: &Operation| match operation.told {
            Told::Opened { session } => Some((operation.client, session)),
            _ => None,
        };
        let licenses = Licenses::of(history, |at_us| known_before(&heard, at_us));
        Case {
            history,
            heard,
            sessions: history.operations.iter().filter_map(session).collect(),
            held: BTreeMap::new(),
            returned: BTreeMap::new(),
            granted: BTreeMap::new(),
            bounds: BTreeMap::new(),
            strangers: BTreeMap::new(),
            maybe_granted: BTreeMap::new(),
            over: BTreeMap::new(),
            arrivals: Arrivals::of(history),
            licenses,
            verdict: Verdict {
                looks: history.looks.len() as u64,
                vanished: history.vanished.len() as u64,
                ..Verdict::default()
            },
            found: Vec::new(),
            more: BTreeMap::new(),
        }
    }

    pub(super) fn report(&mut self, claim: &'static str, at: impl Into<At>, detail: impl Display) {
        if self.found.iter().filter(|violation| violation.claim == claim).count() < TOLD {
            self.found.push(Violation::new(claim, detail).at(at));
        } else {
            *self.more.entry(claim).or_default() += 1;
        }
    }

    /// What was found, with a word on what was too much to tell.
    pub(super) fn all_found(&mut self) -> Vec<Violation> {
        let more = std::mem::take(&mut self.more).into_iter();
        self.found
            .extend(more.map(|(claim, count)| Violation::new(claim, format!("and {count} times more"))));
        std::mem::take(&mut self.found)
    }

    /// The largest index anybody had been told before this moment.
    pub(super) fn known_before(&self, at_us: u64) -> LogIndex {
        known_before(&self.heard, at_us)
    }

    /// The smallest index of what was asked after this moment: what was over then lies before it.
    pub(super) fn decided_after(&self, at_us: u64) -> Option<LogIndex> {
        let asked = self.history.operations.iter().filter(|operation| operation.invoked_us > at_us);
        asked.filter_map(|operation| operation.told.index()).min()
    }

    /// The most seats that may be licensed at this entry.
    pub(super) fn licensed(&self, feature: &str, index: LogIndex) -> u64 {
        self.licenses.at(feature, index).into_iter().map(Terms::seats).max().unwrap_or_default()
    }
}

fn known_before(heard: &[(u64, LogIndex)], at_us: u64) -> LogIndex {
    let place = heard.partition_point(|(when, _)| *when < at_us);
    place.checked_sub(1).map_or(LogIndex(0), |last| heard[last].1)
}

pub(super) fn whom(read: &Read) -> String {
    format!("the {} at entry {}", read.server, read.applied)
}

pub(super) fn told(operation: &Operation) -> String {
    format!("client {}: {:?} was told {:?}", operation.client, operation.kind, operation.told)
}
