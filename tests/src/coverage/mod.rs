//! Which parts of the product a sweep of the simulation never ran: what never ran was never judged, however many seeds
//! were good.
//!
//! `tests/coverage/sweep.sh` counts the lines and asks here. A hole is a function of which no line ran, or a piece of a
//! function that did: lines beside each other that never ran, known by the first of them. Branches within a line are not
//! looked at: most are the `?` of an error that needs a bug of somebody else.
//!
//! What cannot run in a simulation is excused, with the reason, in `tests/coverage/excused.txt`. An excuse that excuses
//! nothing any more is a complaint too, so that the list is never longer than the truth.

mod excuses;
mod judge;
mod source;

use std::collections::BTreeMap;

pub use excuses::{Excuse, Excuses};
pub use judge::{Found, judge};
pub use source::{Hole, Source};

/// How often each line of each file ran, by path and number of the line; lines that do nothing are not in it.
pub type Counts = BTreeMap<String, BTreeMap<usize, u64>>;

/// Reads what `llvm-cov export -format=lcov` writes, of files below a directory; paths begin behind it.
pub fn read_counts(report: &str, root: &str) -> Counts {
    let mut counts = Counts::new();
    let mut path = None;
    for line in report.lines() {
        if let Some(file) = line.strip_prefix("SF:") {
            path = file.strip_prefix(root).map(|file| file.trim_start_matches('/').to_owned());
        } else if let (Some(path), Some(line)) = (&path, line.strip_prefix("DA:")) {
            let mut numbers = line.split(',');
            let number = numbers.next().and_then(|number| number.parse().ok());
            let count = numbers.next().and_then(|count| count.parse::<u64>().ok());
            if let (Some(number), Some(count)) = (number, count) {
                *counts.entry(path.clone()).or_default().entry(number).or_default() += count;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests;
