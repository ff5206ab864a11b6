//! What must be true, at every look and at the end. Each claim is a sentence; a violation names it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use licensing_core::id::{Handle, LogIndex, Role, Timestamp};
use licensing_core::invariants;
use licensing_core::outcome::{Answer, Outcome};
use licensing_core::state::State;

/// A claim that was found untrue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The claim.
    pub claim: &'static str,
    /// What was found instead.
    pub found: String,
}

/// What the judge has seen so far; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Judge(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    violations: Vec<Violation>,
    /// Digest of the state at an index, whoever showed it first.
    digests: BTreeMap<LogIndex, String>,
    clocks: BTreeMap<Role, (LogIndex, Timestamp)>,
    granted: BTreeMap<Handle, LogIndex>,
    returned: BTreeSet<Handle>,
    /// Checkins whose answer never came: the seat may be there or not.
    in_doubt: BTreeSet<Handle>,
    answers: u64,
    latest_completed: LogIndex,
}

/// Digests kept: replicas are never further apart than a run is long, but old ones are of no use.
const DIGESTS: usize = 4096;

impl Judge {
    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.with(|seen| seen.violations.clone())
    }

    pub(crate) fn answers(&self) -> u64 {
        self.with(|seen| seen.answers)
    }

    /// The newest index whose answer has been received: a request made now must get a larger one.
    pub(crate) fn horizon(&self) -> LogIndex {
        self.with(|seen| seen.latest_completed)
    }

    /// A look at one replica.
    pub(crate) fn look(&self, role: Role, state: &State) {
        let index = state.last_index();
        let digest = state.digest().to_string();
        self.with(|seen| {
            if let Err(violation) = invariants::check(state) {
                seen.fail("every replica keeps every invariant", format!("the {role}: {violation}"));
            }
            let first = seen.digests.entry(index).or_insert_with(|| digest.clone()).clone();
            if first != digest {
                seen.fail(
                    "replicas are equal at equal index",
                    format!("the {role} differs at entry {index}"),
                );
            }
            while seen.digests.len() > DIGESTS {
                seen.digests.pop_first();
            }
            let last = seen.clocks.insert(role, (index, state.clock()));
            if let Some((last_index, clock)) = last
                && index >= last_index
                && state.clock() < clock
            {
                seen.fail("state time never goes back", format!("the {role} at entry {index}"));
            }
        });
    }

    /// An answer came to a request that was made when `horizon` was the newest index answered.
    pub(crate) fn answered(&self, answer: &Answer, horizon: LogIndex, first_try: bool) {
        self.with(|seen| {
            seen.answers += 1;
            if first_try && answer.index <= horizon {
                let found = format!("entry {} after entry {horizon} was answered", answer.index);
                seen.fail("index order respects real time", found);
            }
            seen.latest_completed = seen.latest_completed.max(answer.index);
            if let Outcome::Granted { handle, .. } = answer.outcome
                && let Some(other) = seen.granted.insert(handle, answer.index)
                && other != answer.index
            {
                seen.fail("a handle is given once", format!("handle {handle}"));
            }
        });
    }

    pub(crate) fn returned(&self, handle: Handle) {
        self.with(|seen| {
            seen.returned.insert(handle);
            seen.in_doubt.remove(&handle);
        });
    }

    pub(crate) fn in_doubt(&self, handle: Handle) {
        self.with(|seen| {
            seen.in_doubt.insert(handle);
        });
    }

    pub(crate) fn fail(&self, claim: &'static str, found: String) {
        self.with(|seen| seen.fail(claim, found));
    }

    /// After healing: exactly the acknowledged seats are out.
    pub(crate) fn settle(&self, state: &State, unknown_sessions: bool) {
        let present: BTreeSet<Handle> = state.checkouts().map(|checkout| checkout.handle).collect();
        self.with(|seen| {
            for handle in seen.granted.keys().copied().collect::<Vec<_>>() {
                let (returned, doubtful) = (seen.returned.contains(&handle), seen.in_doubt.contains(&handle));
                if !returned && !doubtful && !present.contains(&handle) {
                    seen.fail("an acknowledged checkout is never lost", format!("handle {handle}"));
                }
                if returned && present.contains(&handle) {
                    seen.fail("an acknowledged checkin never comes back", format!("handle {handle}"));
                }
            }
            if !unknown_sessions {
                for handle in present
                    .iter()
                    .filter(|handle| !seen.granted.contains_key(handle))
                    .copied()
                    .collect::<Vec<_>>()
                {
                    seen.fail("no seat is held by nobody", format!("handle {handle}"));
                }
            }
        });
    }
}

impl Seen {
    fn fail(&mut self, claim: &'static str, found: String) {
        // The first few tell the story.
        if self.violations.len() < 20 {
            self.violations.push(Violation { claim, found });
        }
    }
}
