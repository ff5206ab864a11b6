//! The day on which a run happens. Half of the runs begin some seconds before a midnight (UTC): license lines end and start in their
//! middle.

use super::random::Stream;

/// 2026-01-01.
const MIDNIGHT_MS: i64 = 1_767_225_600_000;

/// What all wall clocks of a run show at its beginning.
pub(super) fn start_ms(seed: u64) -> i64 {
    let random = Stream::new(seed, "time of day");
    let before = if random.chance(50) { 3_000 + random.below(22_000) as i64 } else { 0 };
    MIDNIGHT_MS - before
}

/// The midnight that runs begin at or pass.
pub(super) fn midnight_ms() -> u64 {
    MIDNIGHT_MS.unsigned_abs()
}
