//! What was licensed at an entry: by the licenses of the run and the days of their lines, told once more in a few words. Nothing
//! of this asks a server: a license is what an administrator was told is served, and the time of an entry what its answer says.
//!
//! An administrator's request of unknown outcome may have been carried out at any entry that nobody had heard of when it was made, up
//! to the one that certainly decided a later request: a leader that has decided that one has no earlier one before itself.

use std::collections::BTreeMap;

use licensing_core::id::{LogIndex, Seats};

use crate::history::{History, Kind, Line, Operation, Told};

/// What a license says of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terms {
    /// So many seats, not 0.
    Seats(u64),
    /// It does not name it.
    Unnamed,
    /// None of its lines has started.
    NotStarted,
    /// All its lines are over.
    Over,
}

impl Terms {
    pub(super) fn seats(self) -> u64 {
        match self {
            Terms::Seats(seats) => seats,
            Terms::Unnamed | Terms::NotStarted | Terms::Over => 0,
        }
    }

    fn named(seats: Seats) -> Terms {
        if seats == Seats(0) { Terms::Unnamed } else { Terms::Seats(u64::from(seats.0)) }
    }
}

/// A license that was asked for in the middle of the run.
struct Asked<'a> {
    licensed: &'a BTreeMap<String, Seats>,
    /// Which entry decided it, if that is known.
    decided: Option<LogIndex>,
    /// Otherwise it was an entry after this one, or none.
    after: LogIndex,
    /// And one before this.
    before: Option<LogIndex>,
}

/// All licenses of the run.
pub(super) struct Licenses<'a> {
    constant: &'a BTreeMap<String, Seats>,
    dated: &'a BTreeMap<String, Vec<Line>>,
    dates: BTreeMap<LogIndex, u64>,
    asked: Vec<Asked<'a>>,
}

impl<'a> Licenses<'a> {
    pub(super) fn of(history: &'a History, known_before: impl Fn(u64) -> LogIndex) -> Licenses<'a> {
        let decided = |operation: &Operation| match (&operation.kind, &operation.told) {
            (Kind::Relicense { .. }, Told::Installed { index }) => Some(*index),
            _ => None,
        };
        let asked = |operation: &'a Operation| {
            let Kind::Relicense { licensed } = &operation.kind else { return None };
            if !matches!(operation.told, Told::Installed { .. } | Told::Unknown { .. } | Told::GivenUp) {
                return None;
            }
            let later = |other: &&Operation| {
                operation.completed_us.is_some_and(|completed| other.invoked_us >= completed)
            };
            let before = history.operations.iter().filter(later).filter_map(decided).min();
            let after = known_before(operation.invoked_us);
            Some(Asked { licensed, decided: decided(operation), after, before })
        };
        Licenses {
            constant: &history.about.licensed,
            dated: &history.about.dated,
            dates: history.dates.iter().map(|date| (date.index, date.at_ms)).collect(),
            asked: history.operations.iter().filter_map(asked).collect(),
        }
    }

    /// Everything that may be licensed at this entry; one thing where all is known.
    pub(super) fn at(&self, feature: &str, index: LogIndex) -> Vec<Terms> {
        if let Some(lines) = self.dated.get(feature) {
            return self.times(lines, index).into_iter().map(|at_ms| terms(lines, at_ms)).collect();
        }
        let constant = self.constant.get(feature).map_or(Terms::Unnamed, |seats| Terms::named(*seats));
        let asked: Vec<&Asked> =
            self.asked.iter().filter(|asked| asked.licensed.contains_key(feature)).collect();
        let certain = asked.iter().filter(|asked| asked.decided.is_some_and(|decided| decided <= index));
        let certain = certain.max_by_key(|asked| asked.decided);
        let since = certain.and_then(|asked| asked.decided).unwrap_or_default();
        let unknown = asked.iter().filter(|asked| {
            asked.decided.is_none()
                && asked.after.max(since) < index
                && asked.before.is_none_or(|before| index < before)
        });
        let of = |asked: &&Asked| Terms::named(asked.licensed[feature]);
        certain
            .map(of)
            .into_iter()
            .chain(certain.is_none().then_some(constant))
            .chain(unknown.map(of))
            .collect()
    }

    /// The most seats that any license of the run gives.
    pub(super) fn most(&self, feature: &str) -> u64 {
        let asked = self.asked.iter().filter_map(|asked| asked.licensed.get(feature));
        let all = asked.chain(self.constant.get(feature)).map(|seats| u64::from(seats.0));
        all.max().unwrap_or_default()
    }

    /// Times at which the entry may have been decided, one for each day that makes a difference.
    fn times(&self, lines: &[Line], index: LogIndex) -> Vec<u64> {
        // Time does not go back: an entry whose time nobody was told lies between its neighbours.
        let least = self.dates.range(..=index).next_back().map_or(0, |(_, at_ms)| *at_ms);
        let most = self.dates.range(index..).next().map_or(u64::MAX, |(_, at_ms)| *at_ms);
        let days = lines.iter().flat_map(|line| [line.from_ms, line.until_ms]).flatten();
        [least].into_iter().chain(days.filter(|day| *day > least && *day <= most)).collect()
    }
}

/// What lines give at a moment.
fn terms(lines: &[Line], at_ms: u64) -> Terms {
    let is_over = |line: &&Line| line.until_ms.is_some_and(|until| at_ms >= until);
    let has_started = |line: &&Line| line.from_ms.is_none_or(|from| at_ms >= from);
    let valid = lines.iter().filter(|line| !is_over(line)).filter(has_started);
    let seats: u64 = valid.map(|line| u64::from(line.seats.0)).sum();
    match seats {
        0 if lines.is_empty() => Terms::Unnamed,
        0 if lines.iter().all(|line| is_over(&line)) => Terms::Over,
        0 => Terms::NotStarted,
        seats => Terms::Seats(seats),
    }
}
