//! What a run is made of.

use std::time::Duration;

/// Its next look is 7 virtual milliseconds away, which take less than one real one.
const STANDS_STILL: Duration = Duration::from_secs(30);

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides everything.
    pub seed: u64,
    /// Virtual time under faults.
    pub duration: Duration,
    /// Clients that work all the time.
    pub clients: u32,
    /// A run whose virtual time stands still for so long in real time is given up: some task never yields.
    pub stands_still: Duration,
}

impl Options {
    /// The usual run of a seed: thirty seconds, six clients.
    pub fn of(seed: u64) -> Options {
        Options { seed, duration: Duration::from_secs(30), clients: 6, stands_still: STANDS_STILL }
    }
}
