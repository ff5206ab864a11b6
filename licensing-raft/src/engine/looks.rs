//! When to look at what no message tells. The loops of a node count from the same moment, so that a server with nothing
//! to do wakes up once for all that are due: waking a processor takes longer than a look.

use std::time::Duration;

use crate::time::{Instant, sleep_until};

/// The shortest time between two looks; longer ones, and the default heartbeat, are multiples of it.
pub(crate) const LOOK: Duration = Duration::from_millis(25);

/// Waits for the next moment that is a multiple of `every` away from `start`.
pub(crate) async fn next(start: Instant, every: Duration) {
    sleep_until(start + until_next(start.elapsed(), every)).await;
}

fn until_next(elapsed: Duration, every: Duration) -> Duration {
    let passed = elapsed.as_nanos() / every.as_nanos().max(1);
    let next = (passed + 1) * every.as_nanos();
    // Five hundred years; by then nobody waits.
    Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_loops_look_at_the_same_moments() {
        let start = Instant::now();
        let look = |begun_ms, every| async move {
            crate::time::sleep(Duration::from_millis(begun_ms)).await;
            next(start, every).await;
            start.elapsed().as_millis()
        };
        let (a, b, c, d) = tokio::join!(look(0, LOOK), look(24, LOOK), look(25, LOOK), look(7, LOOK * 4));
        assert_eq!((a, b, c, d), (25, 25, 50, 100));
    }
}
