//! Judges a history from a file: by the [`oracle`](crate::oracle), which uses the log indexes, and by the
//! [`check`](crate::check)s that do without.

use std::fmt;
use std::path::Path;

use crate::check::from_history::{Feature, judge_blind};
use crate::check::semaphore::{self, Judgement as Blind};
use crate::history::{About, History, HistoryError};
use crate::oracle::{Verdict, Violation, judge};

/// What the judges say of a history. Displayed, it is a report for people.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// What was run.
    pub about: About,
    /// What the oracle says.
    pub oracle: Result<Verdict, Vec<Violation>>,
    /// What the judge without indexes says of each feature.
    pub blind: Vec<(Feature, Blind)>,
}

/// Reads a history and judges it.
///
/// # Errors
///
/// The file is not a history that can be read. That a promise was not kept is no error: it is in the judgement.
pub fn judge_file(path: impl AsRef<Path>) -> Result<Judgement, HistoryError> {
    Ok(judge_history(&History::load(path.as_ref())?))
}

/// Judges a history.
pub fn judge_history(history: &History) -> Judgement {
    Judgement { about: history.about.clone(), oracle: judge(history), blind: judge_blind(history) }
}

impl Judgement {
    /// Whether servers were looked at, so that being good says something about seats.
    pub fn is_determined(&self) -> bool {
        self.oracle.as_ref().map_or(true, Verdict::is_determined)
    }

    /// Whether no judge has found a promise that was not kept.
    pub fn is_good(&self) -> bool {
        let wrong =
            |(_, blind): &(Feature, Blind)| matches!(blind.verdict, semaphore::Verdict::NotLinearizable(_));
        self.oracle.is_ok() && !self.blind.iter().any(wrong)
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, seed {}", self.about.test, self.about.seed)?;
        match &self.oracle {
            Ok(verdict) if !verdict.is_determined() => writeln!(
                f,
                "by log index: undetermined, for no server showed its state; the answers agree with each other, \
                 {verdict:?}"
            )?,
            Ok(verdict) => writeln!(f, "by log index: good, {verdict:?}")?,
            Err(violations) => {
                writeln!(f, "by log index: {} violations", violations.len())?;
                violations.iter().try_for_each(|violation| writeln!(f, "  {violation}"))?;
            }
        }
        for (feature, Blind { verdict, placements }) in &self.blind {
            let (name, asked) = (&feature.name, feature.operations.len());
            match verdict {
                semaphore::Verdict::Linearizable(_) => {
                    writeln!(f, "without index, {name}: good, {asked} operations in {placements} steps")?;
                }
                semaphore::Verdict::NotLinearizable(found) => {
                    writeln!(f, "without index, {name}: {found}")?;
                }
                semaphore::Verdict::OutOfBudget => {
                    writeln!(
                        f,
                        "without index, {name}: undecided after {placements} steps, {asked} operations"
                    )?;
                }
            }
        }
        f.write_str(match (self.is_good(), self.is_determined()) {
            (true, true) => "good",
            (true, false) => "undetermined",
            (false, _) => "not good",
        })
    }
}
