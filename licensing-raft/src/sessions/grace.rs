//! How long a session may be silent. In a crowd it is longer than configured, so that each client needs fewer heartbeats
//! and all of them together never take more than a few hundredths of a processor.
//!
//! The property kept: a client that sends a heartbeat as often as it was told last is never silent for its grace, even
//! when most of the crowd leaves meanwhile. So the grace grows at once and shrinks slowly.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::time::Instant;

/// What each session adds to the grace of all: at two heartbeats and a half in a grace, a thousand heartbeats a second.
const FOR_EACH: Duration = Duration::from_micros(2500);

/// A machine that vanished without a word keeps its seats no longer than this because of a crowd.
const LONGEST_IN_A_CROWD: Duration = Duration::from_secs(60);

/// The grace shrinks by a second in so many.
const SHRINKS: u32 = 10;

/// See the module.
pub(crate) struct Grace {
    least: Duration,
    now: Mutex<(Instant, Duration)>,
}

impl Grace {
    pub(crate) fn new(least: Duration) -> Grace {
        Grace { least, now: Mutex::new((Instant::now(), least)) }
    }

    /// The grace at this moment.
    pub(crate) fn now(&self) -> Duration {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Takes note of how many sessions there are; returns the grace.
    pub(crate) fn follow(&self, sessions: usize) -> Duration {
        let sessions = u32::try_from(sessions).unwrap_or(u32::MAX);
        let wanted = FOR_EACH.saturating_mul(sessions).min(LONGEST_IN_A_CROWD).max(self.least);
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let shrunk = now.1.saturating_sub(now.0.elapsed() / SHRINKS);
        *now = (Instant::now(), wanted.max(shrunk));
        now.1
    }

    /// How often a client should show that it lives: three times in the configured grace, and at least every three
    /// seconds; in a crowd two and a half times.
    pub(crate) fn heartbeat(&self) -> Duration {
        const LONGEST_ALONE: Duration = Duration::from_secs(3);
        let alone = (self.least / 3).min(LONGEST_ALONE);
        let grace = self.now();
        if grace > self.least { alone.max(grace * 2 / 5) } else { alone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_has_a_longer_grace_and_fewer_heartbeats() {
        let grace = Grace::new(s(10));
        for (sessions, expected, heartbeat) in
            [(0, s(10), s(3)), (4000, s(10), s(3)), (10_000, s(25), s(10)), (100_000, s(60), s(24))]
        {
            assert_eq!((grace.follow(sessions), grace.heartbeat()), (expected, heartbeat), "{sessions}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_grace_has_as_many_heartbeats() {
        let grace = Grace::new(s(1));
        assert_eq!((grace.follow(100), grace.heartbeat()), (s(1), s(1) / 3));
        assert_eq!((grace.follow(2000), grace.heartbeat()), (s(5), s(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_told_a_long_pause_outlives_it_though_the_crowd_has_left() {
        let grace = Grace::new(s(10));
        grace.follow(10_000);
        let told = grace.heartbeat();
        for _ in 0..told.as_millis() / 500 {
            tokio::time::advance(Duration::from_millis(500)).await;
            assert!(grace.follow(1) >= told * 2, "{:?}", grace.now());
        }
        tokio::time::advance(s(200)).await;
        assert_eq!((grace.follow(1), grace.heartbeat()), (s(10), s(3)));
    }
}
