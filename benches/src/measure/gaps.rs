//! How long clients wait: the longest time between two answers of one client, and how such times are distributed.
//!
//! In a closed loop this is what an application notices of a failover. A wait that has not ended counts as long as it has
//! lasted, so that a client that hangs cannot be overlooked.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// The answers of one client.
#[derive(Debug)]
pub struct Gaps {
    inner: Mutex<Inner>,
}

/// When an answer came, and how long after the one before.
pub type Answer = (Instant, Duration);

#[derive(Debug)]
struct Inner {
    last: Instant,
    longest: Duration,
    /// Every answer, while it is recorded.
    recorded: Option<Vec<Answer>>,
}

impl Default for Gaps {
    fn default() -> Self {
        Gaps { inner: Mutex::new(Inner { last: Instant::now(), longest: Duration::ZERO, recorded: None }) }
    }
}

impl Gaps {
    /// An answer has come.
    pub fn answered(&self) {
        self.lock().answered(Instant::now());
    }

    /// Forgets the gaps that are over. The present one counts from its beginning.
    pub fn begin(&self) {
        self.lock().longest = Duration::ZERO;
    }

    /// The longest gap that has ended since, or lasts.
    pub fn longest(&self) -> Duration {
        self.lock().longest(Instant::now())
    }

    /// Keeps every answer from now on.
    pub fn record(&self) {
        self.lock().recorded = Some(Vec::new());
    }

    /// What was kept since; nothing more is.
    pub fn recorded(&self) -> Vec<Answer> {
        self.lock().recorded.take().unwrap_or_default()
    }

    /// When the last answer came.
    pub fn last(&self) -> Instant {
        self.lock().last
    }

    /// Nothing can panic while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn answered(&mut self, now: Instant) {
        self.longest = self.longest(now);
        let gap = now - self.last;
        self.recorded.iter_mut().for_each(|answers| answers.push((now, gap)));
        self.last = now;
    }

    fn longest(&self, now: Instant) -> Duration {
        self.longest.max(now - self.last)
    }
}

/// Some durations in milliseconds, to a tenth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Distribution {
    /// Half of them are not above it.
    pub median: f64,
    /// Nine tenths of them are not above it.
    pub p90: f64,
    /// None of them is above it.
    pub worst: f64,
}

impl Distribution {
    /// Zeros when there are none.
    pub fn of(mut durations: Vec<Duration>) -> Distribution {
        durations.sort_unstable();
        // The smallest one that so many tenths of all are not above.
        let at = |tenths: usize| {
            let place = (durations.len() * tenths).div_ceil(10).max(1) - 1;
            durations.get(place).map_or(0.0, |duration| (duration.as_secs_f64() * 1e4).round() / 10.0)
        };
        Distribution { median: at(5), p90: at(9), worst: at(10) }
    }
}

impl std::fmt::Display for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Distribution { median, p90, worst } = self;
        write!(f, "median {median:7.1} ms, p90 {p90:7.1} ms, worst {worst:7.1} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_gap_counts_while_it_lasts_and_until_a_longer_one() {
        let start = Instant::now();
        let mut gaps = Inner { last: start, longest: Duration::ZERO, recorded: None };
        assert_eq!(gaps.longest(start + ms(20)), ms(20));
        gaps.answered(start + ms(30));
        gaps.answered(start + ms(31));
        assert_eq!(gaps.longest(start + ms(40)), ms(30));
        assert_eq!(gaps.longest(start + ms(80)), ms(49));
    }

    #[test]
    fn answers_are_kept_only_while_they_are_recorded() {
        let start = Instant::now();
        let mut gaps = Inner { last: start, longest: Duration::ZERO, recorded: None };
        gaps.answered(start + ms(1));
        gaps.recorded = Some(Vec::new());
        gaps.answered(start + ms(4));
        assert_eq!(gaps.recorded, Some(vec![(start + ms(4), ms(3))]));
    }

    #[test]
    fn a_gap_that_began_earlier_counts_from_its_beginning() {
        let gaps = Gaps::default();
        let begun = gaps.last();
        gaps.begin();
        let before = begun.elapsed();
        assert!(gaps.longest() >= before);
    }

    #[test]
    fn a_distribution_names_values_that_were_there() {
        let check = |durations: &[u64], median: f64, p90: f64, worst: f64| {
            let found = Distribution::of(durations.iter().copied().map(ms).collect());
            assert_eq!(found, Distribution { median, p90, worst }, "{durations:?}");
        };
        check(&[], 0.0, 0.0, 0.0);
        check(&[7], 7.0, 7.0, 7.0);
        check(&[3, 1, 2], 2.0, 3.0, 3.0);
        check(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 5.0, 9.0, 10.0);
    }
}
