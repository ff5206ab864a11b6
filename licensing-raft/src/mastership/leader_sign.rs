//! When this server last saw a sign of a leader.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::time::Instant;

/// When this server last saw a sign of a leader: an append, a vote it gave, its own leadership.
pub(crate) struct LeaderSign(Mutex<Instant>);

impl LeaderSign {
    pub(crate) fn new() -> LeaderSign {
        LeaderSign(Mutex::new(Instant::now()))
    }

    pub(crate) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}
