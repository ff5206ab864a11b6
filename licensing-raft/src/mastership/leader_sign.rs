//! When this server last saw a sign of a leader, and of which life of which server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::mastership::lives::Life;
use crate::time::Instant;

/// When this server last saw a sign of a leader: an append, a vote it gave, its own leadership.
pub(crate) struct LeaderSign(Mutex<Sign>);

struct Sign {
    at: Instant,
    /// Only the start of this server so far.
    is_first: bool,
    led_by: Option<LeadingLife>,
}

/// The life of a server that leads in a term. It is one for each term: who is started anew is a leader no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeadingLife {
    pub(crate) life: Life,
    pub(crate) term: u64,
}

impl LeaderSign {
    pub(crate) fn new() -> LeaderSign {
        LeaderSign(Mutex::new(Sign { at: Instant::now(), is_first: true, led_by: None }))
    }

    pub(crate) fn note(&self) {
        *self.lock() = Sign { at: Instant::now(), is_first: false, led_by: None };
    }

    /// A leader's entries, or its heartbeat, were taken: it has a lease from now on.
    pub(crate) fn note_leader(&self, leader: LeadingLife) {
        *self.lock() = Sign { at: Instant::now(), is_first: false, led_by: Some(leader) };
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.lock().at.elapsed()
    }

    /// Whether there was one since this server was started.
    pub(crate) fn was_seen(&self) -> bool {
        !self.lock().is_first
    }

    /// Who has the lease that this server granted last, if it was granted in this life.
    pub(crate) fn led_by(&self) -> Option<LeadingLife> {
        self.lock().led_by
    }

    fn lock(&self) -> MutexGuard<'_, Sign> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
