//! Why a pool does not serve, before it is put into the words of a denial.

use super::ask::Ask;
use crate::license::{Date, Version};
use crate::outcome::Denial;
use crate::pools::narrow;

/// Why a pool does not serve, with what the denial will say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It serves only up to that version.
    Version { licensed: Version },
    /// Its next line starts on that day.
    NotStarted { starts: Date },
    /// Its last line ended on that day.
    Over { ended: Option<Date> },
    /// It never gives that many seats.
    Limit { licensed: u64 },
    /// It has not so many seats now.
    Room { in_use: u64, licensed: u64 },
}

impl Refusal {
    /// Two pools that stopped at the same judge, `self` tried before `later`: the version and the number of seats are
    /// those of the pool that has most, the day is the next one or else the last one, the usage is that of the pool that
    /// was tried last.
    pub(super) fn or(self, later: Refusal) -> Refusal {
        match (self, later) {
            (Refusal::Version { licensed: a }, Refusal::Version { licensed: b }) => {
                Refusal::Version { licensed: if b >= a { b } else { a } }
            }
            (Refusal::NotStarted { starts: a }, Refusal::NotStarted { starts: b }) => {
                Refusal::NotStarted { starts: a.min(b) }
            }
            (Refusal::NotStarted { starts }, _) | (_, Refusal::NotStarted { starts }) => {
                Refusal::NotStarted { starts }
            }
            (Refusal::Over { ended: a }, Refusal::Over { ended: b }) => Refusal::Over { ended: a.max(b) },
            (Refusal::Limit { licensed: a }, Refusal::Limit { licensed: b }) => {
                Refusal::Limit { licensed: a.max(b) }
            }
            (_, later) => later,
        }
    }

    pub(super) fn into_denial(self, ask: &Ask) -> Denial {
        let feature = ask.feature.to_owned();
        match self {
            Refusal::Version { licensed } => Denial::VersionNotLicensed {
                feature,
                requested: ask.version.as_str().to_owned(),
                licensed: licensed.as_str().to_owned(),
            },
            Refusal::NotStarted { starts } => Denial::NotStarted { feature, starts: starts.to_string() },
            Refusal::Over { ended } => {
                Denial::Expired { feature, expired: ended.map(|date| date.to_string()).unwrap_or_default() }
            }
            Refusal::Limit { licensed } => {
                Denial::MoreThanLicensed { feature, requested: ask.seats, licensed: narrow(licensed) }
            }
            Refusal::Room { in_use, licensed } => Denial::NoFreeSeats {
                feature,
                requested: ask.seats,
                in_use: narrow(in_use),
                licensed: narrow(licensed),
            },
        }
    }
}
