//! Panics of a run. Tasks catch theirs, and a server goes on without the task: nobody would hear of it.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

/// Panics of one run that are told.
const TOLD: usize = 3;

thread_local! {
    /// Those of this thread, where a run is; `None` elsewhere.
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// From here on panics of this thread are noted, and still said by whoever says them.
pub(super) fn note() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            SEEN.with_borrow_mut(|seen| {
                if let Some(seen) = seen
                    && seen.len() < TOLD
                {
                    // One line: where, and what it says.
                    seen.push(info.to_string().replace('\n', " "));
                }
            });
            before(info);
        }));
    });
    SEEN.set(Some(Vec::new()));
}

/// What was noted of this thread, which is over.
pub(super) fn taken() -> Vec<String> {
    SEEN.take().unwrap_or_default()
}
