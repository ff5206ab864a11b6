//! Pauses between tries: doubling, limited, and a little different for every client.

use std::time::Duration;

use licensing_core::id::Token;

/// The next pause of a row. Ten thousand clients that lost the same master at the same moment come back spread out,
/// because each adds up to a quarter by its own token; no randomness is drawn, so a run can be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Pause {
    first: Duration,
    next: Duration,
    longest: Duration,
    seed: u64,
}

impl Pause {
    /// Pauses from `first` doubling to `longest`, spread by the token.
    pub(crate) fn new(first: Duration, longest: Duration, token: Token) -> Pause {
        Pause { first, next: first, longest, seed: token_seed(token) }
    }

    /// How long to wait this time.
    pub(crate) fn take(&mut self) -> Duration {
        let base = self.next;
        self.next = (base * 2).min(self.longest);
        self.seed = splitmix(self.seed);
        // A part in 1024 of a quarter of the pause.
        base + base / 4 * (self.seed >> 54) as u32 / 1024
    }

    /// The next pause is the first again.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

fn token_seed(Token(bytes): Token) -> u64 {
    bytes.chunks(8).fold(0, |seed, chunk| {
        splitmix(seed ^ chunk.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    })
}

/// One step of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
fn splitmix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_limit_and_add_at_most_a_quarter() {
        let mut pause = Pause::new(Duration::from_millis(5), Duration::from_millis(100), Token([3; 16]));
        for base in [5, 10, 20, 40, 80, 100, 100] {
            let taken = pause.take();
            let base = Duration::from_millis(base);
            assert!(taken >= base && taken <= base + base / 4, "{taken:?} for {base:?}");
        }
        pause.reset();
        assert!(pause.take() < Duration::from_millis(10));
    }

    #[test]
    fn clients_differ_and_repeat_themselves() {
        let pauses = |byte| {
            let mut pause =
                Pause::new(Duration::from_millis(64), Duration::from_millis(64), Token([byte; 16]));
            [pause.take(), pause.take(), pause.take()]
        };
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
    }
}
