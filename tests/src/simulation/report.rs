//! What came out of a run, and how it is told to whoever must find the bug.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::options::Options;
use crate::history::{History, Operation};
use crate::oracle::{Verdict, Violation};

/// What happened last before a violation: so many things are told.
const HAPPENED: usize = 4;

/// Requests of a client that are told, up to the violation.
const REQUESTS: usize = 5;

/// What came out of a run. Its `Display` is what to print of a bad one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// What the run was made of.
    pub options: Options,
    /// What was untrue; empty for a good run.
    pub violations: Vec<Violation>,
    /// What was judged.
    pub verdict: Verdict,
    /// How often what happened; see [`super::seen`].
    pub counts: BTreeMap<&'static str, u64>,
    /// When what happened, in microseconds, in order.
    pub happened: Vec<(u64, &'static str)>,
    /// Virtual time in all.
    pub simulated: Duration,
    /// What clients were told and servers showed.
    pub history: History,
    /// Equal for equal runs: made of the whole history and all counts.
    pub trace: String,
}

impl Report {
    /// Whether every claim was true.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }

    /// What happened last before that moment.
    fn before(&self, us: u64) -> impl Iterator<Item = &(u64, &'static str)> {
        let end = self.happened.partition_point(|(at, _)| *at <= us);
        self.happened[end.saturating_sub(HAPPENED)..end].iter()
    }

    /// What a client asked last, up to that moment.
    fn requests(&self, client: u32, us: u64) -> Vec<&Operation> {
        let own = self.history.operations.iter().filter(|operation| operation.client == client);
        let own: Vec<&Operation> = own.filter(|operation| operation.invoked_us <= us).collect();
        own[own.len().saturating_sub(REQUESTS)..].to_vec()
    }
}

/// Each violation with when it was, what had happened, and what its client had asked; then how to see it again.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { seed, duration, clients, .. } = self.options;
        let found = self.violations.len();
        writeln!(f, "seed {seed}, {clients} clients, {duration:?} under faults: {found} violations")?;
        for violation in &self.violations {
            writeln!(f, "* {violation}")?;
            let Some(us) = violation.at.us else { continue };
            writeln!(f, "  at {}", seconds(us))?;
            for (at, what) in self.before(us) {
                writeln!(f, "    {} {what}", seconds(*at))?;
            }
            for asked in violation.at.client.map(|client| self.requests(client, us)).into_iter().flatten() {
                let Operation { client, kind, invoked_us, told, .. } = asked;
                writeln!(
                    f,
                    "    {} client {client} asked {kind:?}, was told {told:?}",
                    seconds(*invoked_us)
                )?;
            }
        }
        write!(f, "the same again: Options::of({seed}), with {duration:?} and {clients} clients")
    }
}

fn seconds(us: u64) -> String {
    format!("{:10.6} s", us as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use licensing_core::id::{LogIndex, Seats};

    use super::*;
    use crate::history::{About, Kind, Told};

    #[test]
    fn a_bad_run_tells_when_what_before_and_who() {
        let mut history = History::of(About::new("simulation", 7, BTreeMap::new()));
        for asked in 1..8 {
            history.operations.push(Operation {
                client: 3,
                kind: Kind::Checkout { feature: "f".to_owned(), seats: Seats(asked) },
                invoked_us: u64::from(asked) * 1_000_000,
                completed_us: None,
                told: Told::Returned { index: LogIndex(u64::from(asked)) },
            });
        }
        let bad = Violation::new("seats stay", "one went").at(&history.operations[5]);
        let report = Report {
            options: Options::of(7),
            violations: vec![bad],
            verdict: Verdict::default(),
            counts: BTreeMap::new(),
            happened: vec![(100, "crashes"), (5_900_000, "pauses"), (6_100_000, "resets")],
            simulated: Duration::ZERO,
            history,
            trace: String::new(),
        };
        let told = report.to_string();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], "seed 7, 6 clients, 30s under faults: 1 violations");
        assert_eq!(lines[1], "* not true that seats stay: one went");
        assert_eq!(lines[2], "  at   6.000000 s");
        assert_eq!(&lines[3..5], ["      0.000100 s crashes", "      5.900000 s pauses"]);
        assert!(lines[5].starts_with("      2.000000 s client 3 asked Checkout"), "{told}");
        assert!(lines[9].contains("Seats(6)") && lines[10].starts_with("the same again: "), "{told}");
        assert_eq!(lines.len(), 11);
    }
}
