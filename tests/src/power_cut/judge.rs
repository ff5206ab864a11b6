//! Whether a store that was opened after a cut has kept its promises.
//!
//! What was acknowledged must be there; what was asked and not answered may be there, not at all, or in part, as long as
//! the order was kept; nothing else may be there. A purge is never acknowledged: it counts as done once a later write is.

use std::collections::BTreeSet;

use super::format::Record;
use super::inspect::{Found, Opened};
use super::plan::{Ledger, Plan, Step};

/// How far a run had come at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Steps asked for.
    pub asked: usize,
    /// Steps acknowledged.
    pub done: BTreeSet<usize>,
    /// Errors the store reported.
    pub reported: Vec<String>,
    /// Why the run ended early.
    pub stopped: Option<String>,
}

impl Progress {
    /// Takes note of what the program said.
    pub fn hear(&mut self, record: &Record) {
        let Record::Note { text } = record else { return };
        let number = |text: &str| text.parse::<usize>().expect("a step number");
        if let Some(text) = text.strip_prefix("asked ") {
            self.asked = number(text) + 1;
        } else if let Some(text) = text.strip_prefix("done ") {
            self.done.insert(number(text));
        } else if let Some(text) = text.strip_prefix("reported: ") {
            self.reported.push(text.to_owned());
        } else if let Some(text) = text.strip_prefix("stopped: ") {
            self.stopped = Some(text.to_owned());
        }
    }
}

/// What became of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything acknowledged is there.
    Whole,
    /// It says that it may have lost something: it does not vote, and catches up.
    Mute,
    /// It does not start, and says why.
    Refused,
}

/// Judges a store that may have been damaged: it is whole, or it says so.
///
/// # Errors
///
/// What it has lost or made up without a word.
pub fn judge(plan: &Plan, progress: &Progress, found: &Found) -> Result<Verdict, String> {
    let opened = match found {
        Found::Refused(why) if why.is_empty() => {
            return Err("it does not start and does not say why".to_owned());
        }
        Found::Refused(_) => return Ok(Verdict::Refused),
        Found::Opened(opened) => opened,
    };
    if opened.standing == "joining" {
        if let Some(trouble) = &opened.trouble {
            return Err(format!("it was set aside, and the new one does not work: {trouble}"));
        }
        return Ok(Verdict::Mute);
    }
    let joined = plan.steps.iter().position(|step| matches!(step, Step::Join));
    if joined.is_some_and(|step| progress.done.contains(&step)) && opened.standing != "member" {
        // Its peers will tell it that it must catch up. Until then it is as mute as a new server.
        return Ok(Verdict::Mute);
    }
    // Before a server is born there is nothing to lose, and a half-made store is simply made again.
    if !opened.remarks.is_empty() && opened.standing == "member" {
        return Err(format!("it says {:?} and votes all the same", opened.remarks));
    }
    log(plan, progress, opened)?;
    snapshot(plan, progress, opened)?;
    state(plan, progress, opened)?;
    match &opened.trouble {
        Some(trouble) => Err(format!("openraft cannot work with it: {trouble}")),
        None => Ok(Verdict::Whole),
    }
}

/// Judges a store after a power cut: nothing was damaged, so it must be whole.
///
/// # Errors
///
/// What it has lost, made up, or wrongly believes to have lost.
pub fn judge_cut(plan: &Plan, progress: &Progress, found: &Found) -> Result<(), String> {
    match (judge(plan, progress, found)?, found) {
        (Verdict::Whole, _) => Ok(()),
        (Verdict::Mute, Found::Opened(opened)) => {
            Err(format!("it was a member and is {}: {:?}", opened.standing, opened.remarks))
        }
        (_, found) => Err(format!("it does not open: {found:?}")),
    }
}

fn is_log_step(step: &Step) -> bool {
    matches!(step, Step::Vote { .. } | Step::Append(_) | Step::Truncate(_))
}

/// The log may stand anywhere between the last acknowledged step and the last one asked for. A purge that follows the
/// snapshot of another server's may be done unasked: a start that finds the log behind its snapshot does it itself.
fn possible<'a>(plan: &'a Plan, progress: &Progress) -> &'a [Ledger] {
    let sure = progress.done.iter().rev().find(|step| is_log_step(&plan.steps[**step]));
    let first = sure.map_or(0, |step| step + 1);
    let installed = progress.asked.checked_sub(1).map(|step| &plan.steps[step]);
    let unasked = usize::from(matches!(installed, Some(Step::Install { .. })));
    &plan.ledgers[first..=progress.asked.max(first) + unasked]
}

fn log(plan: &Plan, progress: &Progress, opened: &Opened) -> Result<(), String> {
    let ledgers = possible(plan, progress);
    if !ledgers.iter().any(|ledger| ledger.vote == opened.vote) {
        return Err(format!("its vote is {:?}, it should be {:?}", opened.vote, ledgers[0].vote));
    }
    let pair = |ledger: &Ledger| ledger.purged.map(|place| (place.term, place.index));
    if !ledgers.iter().any(|ledger| pair(ledger) == opened.purged) {
        return Err(format!("it is purged up to {:?}, it should be {:?}", opened.purged, pair(&ledgers[0])));
    }
    let mut next = opened.purged.map_or(0, |(_, index)| index + 1);
    for (_, index, _) in &opened.entries {
        if *index != next {
            return Err(format!("entry {next} is missing before entry {index}"));
        }
        next += 1;
    }
    let least = ledgers.iter().map(|ledger| ledger.last.map_or(0, |last| last + 1)).min().unwrap_or(0);
    if next < least {
        return Err(format!("{} acknowledged entries are gone, it ends before entry {next}", least - next));
    }
    if !ledgers.iter().any(|ledger| agrees(ledger, opened)) {
        let last = opened.entries.last();
        return Err(format!("its log is none that it was ever given (it ends with {last:?})"));
    }
    Ok(())
}

/// Every entry is the one that a server which had come as far as this held in its place.
fn agrees(ledger: &Ledger, opened: &Opened) -> bool {
    opened.entries.iter().all(|(term, index, print)| {
        let place = usize::try_from(*index).ok().filter(|_| Some(*index) <= ledger.last);
        place
            .and_then(|place| ledger.log.get(place))
            .is_some_and(|(place, expected)| place.term == *term && expected == print)
    })
}

fn snapshot(plan: &Plan, progress: &Progress, opened: &Opened) -> Result<(), String> {
    let asked = plan.snapshots.iter().filter(|planned| planned.step < progress.asked);
    let mut possible = vec![None];
    for planned in asked {
        if progress.done.contains(&planned.step) {
            possible.clear();
        }
        possible.push(Some((planned.last.term, planned.last.index)));
    }
    if possible.contains(&opened.snapshot) {
        return Ok(());
    }
    Err(format!("its snapshot ends at {:?}, it should end at one of {possible:?}", opened.snapshot))
}

fn state(plan: &Plan, progress: &Progress, opened: &Opened) -> Result<(), String> {
    let told = plan.steps[..progress.asked].iter().filter_map(|step| match step {
        Step::Commit(last) | Step::Install { last, .. } => Some(last.index),
        _ => None,
    });
    let (told, known) = (told.max(), opened.committed.map(|(_, index)| index));
    if known > told {
        return Err(format!("it takes entry {known:?} for committed, and was told of {told:?}"));
    }
    if let Some((term, index)) = opened.committed
        && plan.committed.get(&index).is_none_or(|(expected, _)| *expected != term)
    {
        return Err(format!("entry {index} of term {term} was never committed"));
    }
    if let Some((index, digest)) = &opened.applied
        && plan.committed.get(index).is_none_or(|(_, expected)| expected != digest)
    {
        return Err(format!("its state after entry {index} is not the one that was replicated"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::power_cut::outline::Outline;

    #[test]
    fn no_entry_is_committed_before_anybody_has_said_so() {
        let plan = Plan::of(Outline::tour(2));
        let commits = plan.steps.iter().enumerate().filter_map(|(step, what)| match what {
            Step::Commit(last) | Step::Install { last, .. } => Some((step, *last)),
            _ => None,
        });
        for (step, last) in commits {
            let opened = Opened {
                standing: "member".to_owned(),
                remarks: Vec::new(),
                entries: Vec::new(),
                purged: None,
                vote: None,
                committed: Some((last.term, last.index)),
                snapshot: None,
                applied: None,
                trouble: None,
            };
            let told = |asked| state(&plan, &Progress { asked, ..Progress::default() }, &opened);
            assert_eq!(told(step + 1), Ok(()));
            // What a stop has forgotten is told again.
            let before =
                plan.steps[..step].iter().any(|what| matches!(what, Step::Commit(told) if *told == last));
            assert_eq!(told(step).is_ok(), before, "step {step}");
        }
    }
}
