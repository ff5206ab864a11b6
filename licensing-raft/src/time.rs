//! The one door to the monotonic clock, for nodes and for daemons around them: the clock of the host they run on.
//!
//! It is tokio's. In a simulation all hosts live on one runtime and so by one clock; there a host's clock runs at a pace of its
//! own ([`crate::testing::Gate::at_pace`]), and every timer behind this door with it.

use std::cmp::Ordering;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use tokio::time::{Sleep, Timeout};

use self::pace::Pace;

#[cfg(feature = "testing")]
pub(crate) use self::pace::Pace as HostPace;

/// A moment on the clock of a host. Durations between two moments are counted as the host that noted them counts.
#[derive(Debug, Clone, Copy)]
pub struct Instant {
    at: tokio::time::Instant,
    pace: Pace,
}

impl Instant {
    /// This moment.
    pub fn now() -> Instant {
        Instant { at: tokio::time::Instant::now(), pace: Pace::here() }
    }

    /// How long ago it was.
    pub fn elapsed(&self) -> Duration {
        self.pace.counted(self.at.elapsed())
    }

    /// The time since an earlier moment; zero if that one was later.
    pub fn duration_since(&self, earlier: Instant) -> Duration {
        self.pace.counted(self.at.duration_since(earlier.at))
    }

    /// The moment so long before; [`None`] if the clock did not run then.
    pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
        let at = self.at.checked_sub(self.pace.taken(duration))?;
        Some(Instant { at, ..*self })
    }
}

impl PartialEq for Instant {
    fn eq(&self, other: &Instant) -> bool {
        self.at == other.at
    }
}

impl Eq for Instant {}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Instant) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Instant {
    fn cmp(&self, other: &Instant) -> Ordering {
        self.at.cmp(&other.at)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        Instant { at: self.at + self.pace.taken(duration), ..self }
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, duration: Duration) -> Instant {
        Instant { at: self.at - self.pace.taken(duration), ..self }
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.pace.counted(self.at - earlier.at)
    }
}

impl openraft::Instant for Instant {
    fn now() -> Instant {
        Instant::now()
    }

    fn elapsed(&self) -> Duration {
        Instant::elapsed(self)
    }
}

/// Waits for so long.
pub fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(Pace::here().taken(duration))
}

/// Waits for this moment.
pub fn sleep_until(deadline: Instant) -> Sleep {
    tokio::time::sleep_until(deadline.at)
}

/// Waits for the future, for so long at most.
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    tokio::time::timeout(Pace::here().taken(duration), future)
}

/// Waits for the future, until this moment at most.
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    tokio::time::timeout_at(deadline.at, future)
}

#[cfg(not(feature = "testing"))]
mod pace {
    use std::time::Duration;

    /// All clocks there are run as this one does.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Pace;

    impl Pace {
        pub(super) fn here() -> Pace {
            Pace
        }

        pub(super) fn counted(self, passed: Duration) -> Duration {
            passed
        }

        pub(super) fn taken(self, duration: Duration) -> Duration {
            duration
        }
    }
}

#[cfg(feature = "testing")]
mod pace {
    use std::cell::Cell;
    use std::time::Duration;

    /// Thousandths of a second in a second.
    const EVEN: u32 = 1000;

    thread_local! {
        /// Of the host whose task takes a step.
        static HERE: Cell<Pace> = const { Cell::new(Pace(EVEN)) };
    }

    /// Thousandths of a second that a clock counts while a second passes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Pace(pub(crate) u32);

    impl Default for Pace {
        fn default() -> Pace {
            Pace(EVEN)
        }
    }

    impl Pace {
        pub(super) fn here() -> Pace {
            HERE.get()
        }

        /// Takes a step by this clock.
        pub(crate) fn step<T>(self, step: impl FnOnce() -> T) -> T {
            /// Also when the step panics.
            struct Back(Pace);
            impl Drop for Back {
                fn drop(&mut self) {
                    HERE.set(self.0);
                }
            }
            let _back = Back(HERE.replace(self));
            step()
        }

        /// What the clock counts while so much time passes.
        pub(super) fn counted(self, passed: Duration) -> Duration {
            self.times(passed, self.0, EVEN)
        }

        /// The time that passes while the clock counts so much.
        pub(super) fn taken(self, duration: Duration) -> Duration {
            self.times(duration, EVEN, self.0.max(1))
        }

        fn times(self, duration: Duration, by: u32, of: u32) -> Duration {
            if self.0 == EVEN {
                return duration;
            }
            let nanos = duration.as_nanos() * u128::from(by) / u128::from(of);
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_is_early_and_a_slow_one_late() {
        for (pace, real_ms) in [(1000, 1000), (1050, 952), (950, 1052), (500, 2000)] {
            let (begun, second) = (tokio::time::Instant::now(), Duration::from_secs(1));
            let counted = crate::testing::Gate::default().at_pace(pace).behind(async {
                let noted = Instant::now();
                sleep(second).await;
                // Whoever asks for it elsewhere counts as the host does.
                (noted, noted.elapsed())
            });
            let (noted, own) = counted.await;
            assert_eq!(
                begun.elapsed().as_millis(),
                real_ms + u128::from(pace == 1050 || pace == 950),
                "{pace}"
            );
            assert_eq!(noted.elapsed(), own, "{pace}");
            assert!(own >= second && own < second + Duration::from_millis(2), "{pace}: {own:?}");
            let there_and_back = (noted + second) - noted;
            assert!(there_and_back.abs_diff(second) < Duration::from_nanos(2), "{pace}: {there_and_back:?}");
        }
        assert_eq!(Pace::here(), Pace::default());
    }
}
