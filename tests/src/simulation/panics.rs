//! Panics of a run. Tasks catch theirs, and a server goes on without the task: nobody would hear of it.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

/// Panics of one run that are told.
const TOLD: usize = 3;

thread_local! {
    /// Those of this thread, where a run is, and how many more there were; `None` elsewhere.
    static SEEN: RefCell<Option<(Vec<String>, u64)>> = const { RefCell::new(None) };
}

/// From here on panics of this thread are noted, and the first ones still said by whoever says them.
pub(super) fn note() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_one_more = SEEN.with_borrow_mut(|seen| {
                let Some((seen, more)) = seen else { return false };
                let is_one_more = seen.len() >= TOLD;
                if is_one_more {
                    *more += 1;
                } else {
                    // One line: where, and what it says.
                    seen.push(info.to_string().replace('\n', " "));
                }
                is_one_more
            });
            // A handler that panics each time does so thousands of times in a run.
            if !is_one_more {
                before(info);
            }
        }));
    });
    SEEN.set(Some((Vec::new(), 0)));
}

/// What was noted of this thread, which is over.
pub(super) fn taken() -> Vec<String> {
    let (mut seen, more) = SEEN.take().unwrap_or_default();
    if more > 0 {
        seen.push(format!("and {more} panics more"));
    }
    seen
}
