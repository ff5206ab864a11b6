//! Which plan a run carries out: named by a seed and a course, so that a line of text tells the program that does it, and
//! whoever looks at what is left of it, the same.

use std::fmt;
use std::str::FromStr;

use crate::simulation::random::Stream;

/// The name of a plan. As text `SEED:COURSE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outline {
    /// Decides sizes and numbers: even ones write small entries, odd ones license files too.
    pub seed: u64,
    /// What happens.
    pub course: Course,
}

/// What happens in a plan, in outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Course {
    /// About so many steps, drawn by the seed. With none the store is only opened, closed, and opened again.
    Drawn(usize),
    /// Everything that can happen, each as few times as shows it: short enough to look at every instant.
    Tour,
    /// A server stops right behind a commit, before a write that takes the news of it along; then it makes a snapshot.
    StopBehindCommit,
}

impl Outline {
    /// About so many steps, drawn by a seed.
    pub fn drawn(seed: u64, length: usize) -> Outline {
        Outline { seed, course: Course::Drawn(length) }
    }

    /// Everything once.
    pub fn tour(seed: u64) -> Outline {
        Outline { seed, course: Course::Tour }
    }
}

impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outline { seed, course } = self;
        match course {
            Course::Drawn(length) => write!(f, "{seed}:{length}"),
            Course::Tour => write!(f, "{seed}:tour"),
            Course::StopBehindCommit => write!(f, "{seed}:stop-behind-commit"),
        }
    }
}

impl FromStr for Outline {
    type Err = String;

    fn from_str(text: &str) -> Result<Outline, String> {
        let wrong = || format!("`{text}` is not SEED:COURSE");
        let (seed, course) = text.split_once(':').ok_or_else(wrong)?;
        let course = match course {
            "tour" => Course::Tour,
            "stop-behind-commit" => Course::StopBehindCommit,
            length => Course::Drawn(length.parse().map_err(|_| wrong())?),
        };
        Ok(Outline { seed: seed.parse().map_err(|_| wrong())?, course })
    }
}

/// One of the things that happen to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chapter {
    /// Entries, some.
    Append,
    /// Entries, as many as a file of the journal holds.
    Fill,
    /// All appends are durable.
    Settle,
    /// Some entries are committed.
    Commit,
    /// All entries are committed.
    CommitAll,
    /// A snapshot of what is committed, and a purge.
    Snapshot,
    /// A leader that does not have our last entries.
    Conflict,
    /// A leader that has them.
    Elect,
    /// A leader that has purged what we miss.
    Install,
    /// A clean stop and a start.
    Reopen,
}

impl Chapter {
    /// One that a life as long as this one needs now and then.
    pub(super) fn draw(random: &Stream) -> Chapter {
        match random.below(100) {
            0..50 => Chapter::Append,
            50..58 => Chapter::Settle,
            58..72 => Chapter::Commit,
            72..82 => Chapter::Snapshot,
            82..90 => Chapter::Conflict,
            90..94 => Chapter::Elect,
            94..97 => Chapter::Install,
            _ => Chapter::Reopen,
        }
    }
}

/// Files of the journal are filled, set aside, used again; more of them at once than are kept; one snapshot takes the
/// place of another; a tail is replaced, the whole log is; the server stops at a moment at which much is not synced.
pub(super) const TOUR: [Chapter; 25] = {
    use Chapter::{Append, CommitAll, Conflict, Elect, Fill, Install, Reopen, Settle, Snapshot};
    [
        Fill, CommitAll, Snapshot, Fill, Fill, Settle, CommitAll, Snapshot, Conflict, Append, Fill, Fill,
        Fill, Fill, CommitAll, Snapshot, Append, Conflict, Elect, CommitAll, Reopen, Snapshot, Install,
        Append, Settle,
    ]
};

/// See [`Course::StopBehindCommit`].
pub(super) const STOP_BEHIND_COMMIT: [Chapter; 7] = {
    use Chapter::{Append, CommitAll, Reopen, Settle, Snapshot};
    [Append, Settle, CommitAll, Reopen, Snapshot, Append, Settle]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_is_read_as_it_is_written() {
        for course in [Course::Drawn(90), Course::Tour, Course::StopBehindCommit] {
            let outline = Outline { seed: 7, course };
            assert_eq!(outline.to_string().parse(), Ok(outline));
        }
        for wrong in ["", "7", "7:", "x:90", "7:detour"] {
            assert!(wrong.parse::<Outline>().is_err(), "{wrong}");
        }
    }
}
