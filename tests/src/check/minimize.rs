//! From a history that no order explains to the few answers in it that cannot all be true.
//!
//! Answers are doubted one after the other: a request whose answer is doubted may have been done or not, whatever the
//! client was told. If there is no order even then, the answer was not needed for the contradiction. What remains
//! cannot be true *whatever became of everything else*; that is what makes a counterexample one of the whole history.
//! Leaving an operation out instead would prove nothing: without a checkout, a true count becomes a lie.

use std::collections::BTreeMap;
use std::fmt;

use super::order::{Found, Stuck, find_order};
use super::seats::Operation;

/// Answers that cannot all be true, whatever became of the other requests that were not settled before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample {
    /// Places in the given list, in the order in which they were asked.
    pub operations: Vec<usize>,
    /// Operations that all came before, in one order, of whose answers the contradiction makes use as they are.
    pub settled: Vec<usize>,
    /// What a person reads.
    pub story: String,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.story)
    }
}

/// Lines of a story; a counterexample that could not be made small names its end.
const LINES: usize = 30;

/// Steps of making a counterexample small: seconds, when the contradiction is hidden in a large history.
const BUDGET: u64 = 1_000_000;

/// Makes the contradiction small, as far as that is cheap.
pub(super) fn minimize(capacity: u64, operations: &[Operation], stuck: &Stuck) -> Counterexample {
    let mut case = Case {
        capacity,
        operations,
        base: unsettled(operations, &stuck.settled),
        at_us: u64::MAX,
        due: stuck.due,
        budget: BUDGET,
    };
    case.cut(stuck.at_us);
    let kept = case.shrink(case.answered_by(case.at_us));
    let story = case.story(&kept);
    Counterexample { operations: kept, settled: stuck.settled.clone(), story }
}

struct Case<'a> {
    capacity: u64,
    operations: &'a [Operation],
    /// What was asked after this moment does not matter.
    at_us: u64,
    due: usize,
    /// Operations that matter, in the order in which they were asked.
    base: Vec<usize>,
    budget: u64,
}

/// What matters besides the settled operations, and of these the checkouts that have not ended by then; in the order in
/// which they were asked.
fn unsettled(operations: &[Operation], settled: &[usize]) -> Vec<usize> {
    let mut matters = vec![true; operations.len()];
    let mut held = BTreeMap::new();
    for place in settled {
        matters[*place] = false;
        match operations[*place].takes_or_gives() {
            Some((holder, true)) => drop(held.insert(holder, *place)),
            Some((holder, false)) => drop(held.remove(&holder)),
            None => {}
        }
    }
    held.values().for_each(|place| matters[*place] = true);
    let mut places: Vec<usize> = (0..operations.len()).filter(|place| matters[*place]).collect();
    places.sort_by_key(|place| (operations[*place].invoked_us, operations[*place].until_us()));
    places
}

impl Case<'_> {
    /// Answers that came by this moment.
    fn answered_by(&self, at_us: u64) -> Vec<usize> {
        let by_then = |place: &usize| {
            let operation = &self.operations[*place];
            !operation.is_unknown() && operation.until_us() <= at_us
        };
        self.base.iter().copied().filter(by_then).collect()
    }

    /// Doubts as many of these answers as can be, in halves, quarters and so on, the oldest first.
    fn shrink(&mut self, mut kept: Vec<usize>) -> Vec<usize> {
        let mut size = kept.len().div_ceil(2);
        loop {
            let mut from = 0;
            while from < kept.len() {
                let until = (from + size).min(kept.len());
                let without = [&kept[..from], &kept[until..]].concat();
                if self.contradict(&without) {
                    kept = without;
                } else {
                    from = until;
                }
            }
            if size <= 1 {
                return kept;
            }
            size = size.div_ceil(2);
        }
    }

    /// Cuts off what was asked after this moment, if the contradiction shows by then.
    fn cut(&mut self, at_us: u64) {
        let whole = std::mem::replace(&mut self.at_us, at_us);
        if !self.contradict(&self.answered_by(at_us)) {
            self.at_us = whole;
        }
    }

    /// Whether these answers cannot all be true, with all others in doubt.
    fn contradict(&mut self, kept: &[usize]) -> bool {
        if self.budget == 0 {
            return false;
        }
        let mut certain = vec![false; self.operations.len()];
        kept.iter().for_each(|place| certain[*place] = true);
        let (mut places, mut history) = (Vec::new(), Vec::new());
        for place in self.base.iter().filter(|place| self.operations[**place].invoked_us <= self.at_us) {
            let operation = &self.operations[*place];
            let operation = if certain[*place] { Some(operation.clone()) } else { operation.doubted() };
            if let Some(operation) = operation {
                places.push(*place);
                history.push(operation);
            }
        }
        // A question that takes much longer than to place everything once is better not asked.
        let size = history.len() as u64;
        self.budget = self.budget.saturating_sub(size);
        let limit = self.budget.min(1_000 + 20 * size);
        let (found, placements) = find_order(self.capacity, &history, limit);
        self.budget -= placements;
        match found {
            Found::Stuck(stuck) => {
                self.due = places[stuck.due];
                true
            }
            Found::Order(_) | Found::OutOfBudget => false,
        }
    }

    fn story(&self, kept: &[usize]) -> String {
        let others = self.base.len() - kept.len();
        let mut story =
            format!("no order of these {} on {} seats explains the answers", kept.len(), self.capacity);
        if others > 0 {
            story.push_str(&format!(", whatever became of {others} others"));
        }
        story.push(':');
        let left_out = kept.len().saturating_sub(LINES);
        if left_out > 0 {
            story.push_str(&format!("\n  ({left_out} earlier ones)"));
        }
        for place in &kept[left_out..] {
            let here = if *place == self.due { "   <- does not fit" } else { "" };
            story.push_str(&format!("\n  {}{here}", self.operations[*place]));
        }
        story
    }
}
