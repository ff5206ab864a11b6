//! Panics of a run. Tasks catch theirs, and a server goes on without the task: nobody would hear of it.

use std::cell::RefCell;
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

/// Panics of one run that are told.
const TOLD: usize = 3;

thread_local! {
    /// Those of this thread, where a run is; `None` elsewhere.
    static OWN: RefCell<Option<Panics>> = const { RefCell::new(None) };
}

/// What panicked in a run. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Panics(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    told: Vec<String>,
    more: u64,
}

impl Panics {
    /// From here on panics of this thread are noted, and the first ones still said by whoever says them.
    pub(super) fn note(&self) {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                // A handler that panics each time does so thousands of times in a run.
                let own = OWN.with_borrow(Clone::clone);
                if own.is_none_or(|own| own.add(&info.to_string())) {
                    before(info);
                }
            }));
        });
        OWN.set(Some(self.clone()));
    }

    /// Whether it is one of the first.
    fn add(&self, what: &str) -> bool {
        let mut seen = self.lock();
        let is_told = seen.told.len() < TOLD;
        if is_told {
            // One line: where, and what it says.
            seen.told.push(what.replace('\n', " "));
        } else {
            seen.more += 1;
        }
        is_told
    }

    /// What was noted, with a word on what was too much to tell.
    pub(super) fn all(&self) -> Vec<String> {
        let seen = self.lock();
        let more = (seen.more > 0).then(|| format!("and {} panics more", seen.more));
        seen.told.iter().cloned().chain(more).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
