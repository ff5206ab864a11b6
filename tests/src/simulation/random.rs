//! The randomness of a run: every part draws from a stream of its own, so that one more draw in one part does not
//! change what the others do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::splitmix::{STEP, number_of};

/// A stream of random numbers. Clones draw from the same stream.
#[derive(Clone)]
pub struct Stream(Arc<Mutex<u64>>);

impl Stream {
    /// The stream of `part` in the run with this seed.
    pub fn new(seed: u64, part: &str) -> Stream {
        // FNV-1a, to give each part its own beginning.
        let name = part.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Stream(Arc::new(Mutex::new(seed ^ name)))
    }

    /// The next number.
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(STEP);
        number_of(*state)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Whether something that happens `percent` times in a hundred happens now.
    pub fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A time between two bounds, in microseconds.
    pub fn between_us(&self, least: u64, most: u64) -> Duration {
        Duration::from_micros(least + self.below(most - least + 1))
    }

    /// Bytes.
    pub fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes());
        }
        bytes
    }
}
