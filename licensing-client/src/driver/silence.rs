//! When silence is suspicious. A process that is paused or a network that is cut gives no error, only silence; a
//! client that waited for an error would wait longer than the triad needs to elect another master.

use std::time::Duration;

use licensing_core::id::Token;

use super::pause::Pause;
use crate::words::millis;

/// A server that owes an answer and has been silent for so long is asked for a sign of life, and the other servers
/// are asked who is master. Half of the triad's lease (300 ms), so that the client listens to the others when the
/// election ends; thirty times what an answer takes in one building.
pub(crate) const STALL: Duration = Duration::from_millis(150);

/// After so much silence the connection is given up: the server was asked for a sign of life 1350 ms ago, and it
/// answers that from memory.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_millis(1500);

/// Pauses between rounds of asking the others about a master that turned out to be slow but alive.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A master that has not been suspected for so long is trusted as at first.
const FORGIVEN: Duration = Duration::from_secs(10);

/// What to think of a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// Nothing yet.
    None,
    /// Ask for a sign of life, and ask the others.
    Stalled,
    /// Give the connection up.
    Dead {
        /// How long nothing was heard.
        silent_ms: u64,
    },
}

/// Watches for silence. Times count from the same moment as the session's.
#[derive(Debug)]
pub(crate) struct Watch {
    not_before: Duration,
    pause: Pause,
}

impl Watch {
    pub(crate) fn new(token: Token) -> Watch {
        Watch { not_before: Duration::ZERO, pause: Pause::new(FIRST_PAUSE, LONGEST_PAUSE, token) }
    }

    /// What to think now of a server that owes an answer and has been silent `since`. `may_probe`: nobody else is
    /// being asked yet.
    pub(crate) fn judge(&mut self, now: Duration, since: Duration, may_probe: bool) -> Suspicion {
        let silent = now.saturating_sub(since);
        if silent >= SILENCE_LIMIT {
            Suspicion::Dead { silent_ms: millis(silent) }
        } else if may_probe && silent >= STALL && now >= self.not_before {
            if now > self.not_before + FORGIVEN {
                self.pause.reset();
            }
            Suspicion::Stalled
        } else {
            Suspicion::None
        }
    }

    /// When [`Watch::judge`] will think otherwise.
    pub(crate) fn next_due(&self, since: Duration, may_probe: bool) -> Option<Duration> {
        let stall = may_probe.then(|| (since + STALL).max(self.not_before));
        [stall, Some(since + SILENCE_LIMIT)].into_iter().flatten().min()
    }

    /// The suspected server is alive: others are left in peace for a while.
    pub(crate) fn recovered(&mut self, now: Duration) {
        self.not_before = now + self.pause.take();
    }

    /// Another server is master: it is trusted as at first.
    pub(crate) fn moved(&mut self) {
        self.not_before = Duration::ZERO;
        self.pause.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn silence_is_suspicious_after_150_ms_and_final_after_1500() {
        let mut watch = Watch::new(Token([1; 16]));
        assert_eq!(watch.next_due(at(100), true), Some(at(250)));
        assert_eq!(watch.judge(at(249), at(100), true), Suspicion::None);
        assert_eq!(watch.judge(at(250), at(100), true), Suspicion::Stalled);
        assert_eq!(watch.judge(at(250), at(100), false), Suspicion::None);
        assert_eq!(watch.next_due(at(100), false), Some(at(1600)));
        assert_eq!(watch.judge(at(1600), at(100), false), Suspicion::Dead { silent_ms: 1500 });
    }

    #[test]
    fn a_slow_master_is_suspected_at_most_every_100_ms_then_every_second() {
        let mut watch = Watch::new(Token([1; 16]));
        watch.recovered(at(1000));
        let first = watch.next_due(at(900), true).unwrap();
        assert!(first >= at(1100) && first <= at(1125), "{first:?}");
        assert_eq!(watch.judge(at(1099), at(900), true), Suspicion::None);
        for _ in 0..5 {
            watch.recovered(at(2000));
        }
        assert!(watch.next_due(at(2000), true).unwrap() >= at(3000));
        assert_eq!(watch.judge(at(20_000), at(19_800), true), Suspicion::Stalled);
        watch.recovered(at(20_000));
        assert!(watch.next_due(at(19_900), true).unwrap() <= at(20_125));
    }
}
