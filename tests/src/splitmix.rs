//! SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014): numbers that look random,
//! the same for everybody who counts from the same beginning.

/// From one state to the next.
pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number that a state stands for.
pub(crate) fn number_of(state: u64) -> u64 {
    let mut number = state;
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the seed 1234567.
    #[test]
    fn the_numbers_are_those_of_other_implementations() {
        let numbers = [1, 2, 3].map(|count: u64| number_of(STEP.wrapping_mul(count).wrapping_add(1_234_567)));
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
