//! What a run has noted so far. It can be read from outside, also while the run stands still.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::oracle::Violation;

/// Violations of a claim that are told; the first ones matter.
const TOLD: usize = 3;

/// Clones are the same notes.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    lists: Arc<Mutex<Lists>>,
    /// How far virtual time has come.
    now_us: Arc<AtomicU64>,
}

#[derive(Default)]
struct Lists {
    /// When what happened: some hundreds of things.
    happened: Vec<(u64, &'static str)>,
    violations: Vec<Violation>,
    more: BTreeMap<&'static str, u64>,
}

impl Notes {
    /// Virtual time has come so far.
    pub(super) fn advance(&self, now_us: u64) {
        self.now_us.store(now_us, Ordering::Relaxed);
    }

    pub(super) fn now_us(&self) -> u64 {
        self.now_us.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, at_us: u64, what: &'static str) {
        self.lock().happened.push((at_us, what));
    }

    /// When what happened, in order.
    pub(super) fn happened(&self) -> Vec<(u64, &'static str)> {
        self.lock().happened.clone()
    }

    /// How often what happened.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for (_, what) in &self.lock().happened {
            *counts.entry(*what).or_default() += 1;
        }
        counts
    }

    /// A claim is not true. What was said already is not said again.
    pub(super) fn fail(&self, violation: Violation) {
        let Lists { violations, more, .. } = &mut *self.lock();
        let mut same = violations.iter().filter(|known| known.claim == violation.claim);
        if same.clone().count() >= TOLD || same.any(|known| known.detail == violation.detail) {
            *more.entry(violation.claim).or_default() += 1;
        } else {
            violations.push(violation);
        }
    }

    /// What was untrue, with a word on what was too much to tell.
    pub(super) fn violations(&self) -> Vec<Violation> {
        let lists = self.lock();
        let more = lists.more.iter();
        let more = more.map(|(claim, count)| Violation::new(claim, format!("and {count} times more")));
        lists.violations.iter().cloned().chain(more).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
