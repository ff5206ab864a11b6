//! What the license says about a pool: how many seats at which moment, in which version, until when.

use std::sync::Arc;

use super::key::PoolKey;
use crate::id::{Seats, Timestamp};
use crate::license::{Date, Expiry, FeatureLine, Version};

/// The seats one license line gives to its pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolLine {
    pub(crate) seats: Seats,
    pub(crate) starts: Option<Date>,
    pub(crate) expiry: Expiry,
}

impl PoolLine {
    fn has_ended(&self, at: Timestamp) -> bool {
        self.expiry.end_ms().is_some_and(|end| at.0 >= end)
    }

    fn has_started(&self, at: Timestamp) -> bool {
        self.starts.is_none_or(|date| at.0 >= date.start_ms())
    }

    fn is_valid(&self, at: Timestamp) -> bool {
        self.has_started(at) && !self.has_ended(at)
    }
}

/// What the license says about a pool; immutable between two installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolTerms {
    pub(crate) key: PoolKey,
    pub(crate) version: Version,
    /// The version as the license writes it, shared by the checkouts that ask for exactly it.
    pub(crate) version_text: Arc<str>,
    pub(crate) vendor: String,
    /// Node lock as the license writes it.
    pub(crate) host_id: Option<String>,
    /// Last day of the line that lasts longest, or `permanent`.
    pub(crate) expires: String,
    /// Empty once no license line gives seats to the pool any more.
    pub(crate) lines: Vec<PoolLine>,
}

/// Whether lines of a license give seats at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// They do.
    Now,
    /// From that day on.
    Later(Date),
    /// Until that day.
    Over(Option<Date>),
}

impl Validity {
    /// That of one license line.
    pub fn of(line: &FeatureLine, at: Timestamp) -> Validity {
        validity(&[PoolLine { seats: Seats(0), starts: line.starts, expiry: line.expiry }], at)
    }
}

fn validity(lines: &[PoolLine], at: Timestamp) -> Validity {
    if lines.iter().any(|line| line.is_valid(at)) {
        return Validity::Now;
    }
    let waiting = lines.iter().filter(|line| !line.has_ended(at)).filter_map(|line| line.starts).min();
    match waiting {
        Some(date) => Validity::Later(date),
        None => Validity::Over(last_day(lines)),
    }
}

fn last_day(lines: &[PoolLine]) -> Option<Date> {
    let last = lines.iter().map(|line| line.expiry).max();
    last.and_then(|expiry| match expiry {
        Expiry::On(date) => Some(date),
        Expiry::Permanent => None,
    })
}

impl PoolTerms {
    /// The terms of a pool that no license line mentions any more, as they are kept until its seats are back.
    pub(crate) fn retired(
        key: PoolKey,
        version: Version,
        vendor: String,
        host_id: Option<String>,
        expires: String,
    ) -> PoolTerms {
        let version_text = version.as_str().into();
        PoolTerms { key, version, version_text, vendor, host_id, expires, lines: Vec::new() }
    }

    pub(crate) fn start(key: PoolKey, line: &FeatureLine) -> PoolTerms {
        PoolTerms {
            key,
            version: line.version.clone(),
            version_text: line.version.as_str().into(),
            vendor: line.vendor.clone(),
            host_id: line.host_id.as_ref().map(|id| id.to_string()),
            expires: String::new(),
            lines: Vec::new(),
        }
    }

    /// Whether no license line gives seats to the pool any more.
    pub(crate) fn is_retired(&self) -> bool {
        self.lines.is_empty()
    }

    /// Seats at a moment; `None` when they are not counted.
    pub(crate) fn licensed(&self, at: Timestamp) -> Option<u64> {
        (!self.key.uncounted || self.is_retired()).then(|| self.sum(|line| line.is_valid(at)))
    }

    /// Seats of all lines, whatever their dates; `None` when they are not counted.
    pub(crate) fn total(&self) -> Option<u64> {
        (!self.key.uncounted || self.is_retired()).then(|| self.sum(|_| true))
    }

    // Cannot overflow: lines are far fewer than 2^32, seats per line less than 2^32.
    fn sum(&self, wanted: impl Fn(&PoolLine) -> bool) -> u64 {
        self.lines.iter().filter(|line| wanted(line)).map(|line| u64::from(line.seats.0)).sum()
    }

    pub(crate) fn validity(&self, at: Timestamp) -> Validity {
        validity(&self.lines, at)
    }
}
