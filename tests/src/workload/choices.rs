//! Choices that a seed makes again.

/// Choices that can be made again: xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift
/// generators, scrambled").
#[derive(Debug, Clone)]
pub struct Choices(u64);

impl Choices {
    /// The choices of this seed; `stream` tells apart those who share one.
    pub fn new(seed: u64, stream: u64) -> Choices {
        let mut choices = Choices((seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)).max(1));
        // The first numbers of small seeds resemble each other.
        for _ in 0..8 {
            choices.next();
        }
        choices
    }

    /// A number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_choices_again() {
        let some = |seed, stream| {
            let mut choices = Choices::new(seed, stream);
            (0..20).map(|_| choices.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(some(7, 1), some(7, 1));
        assert_ne!(some(7, 1), some(7, 2));
        assert_ne!(some(7, 1), some(8, 1));
        assert!(some(0, 0).iter().any(|choice| *choice != 0));
    }
}
