//! What is due when time has passed: settled before the entry that brought the time is decided.

use crate::state::State;

impl State {
    /// Lets go of what has stayed too long.
    pub(crate) fn settle(&mut self) {
        if self.staging.as_ref().is_some_and(|staging| staging.is_stale(self.clock)) {
            self.staging = None;
        }
    }
}
