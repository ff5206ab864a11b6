//! Appends on their way to one peer: how many bytes they have, and how long those may take.
//!
//! The property kept: over the slowest wire that is provided for, the longest entries arrive before they are given up. With
//! less time than they need they would be sent, given up and sent again, and who proposed them would be told in the end that it
//! is not known what became of them.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Instant;
use openraft::EntryPayload;

use crate::engine::types::{AppendRequest, Entry};

/// Bytes of entries under way at which no more are taken: two of the fullest requests, so that one travels while the other is
/// written, and a connection that has died in the middle is given up within seconds.
pub(super) const MOST_BYTES: usize = 4 << 20;

/// So many bytes of entries travel in the time that every append has.
const FREE_BYTES: usize = 64 << 10;

/// What a connection between servers carries at least, in bytes a second: 8 Mbit/s.
const SLOWEST_WIRE: u64 = 1 << 20;

/// See the module.
#[derive(Default)]
pub(super) struct UnderWay {
    /// When each was taken, oldest first, and how many bytes it has.
    appends: VecDeque<(Instant, usize)>,
    /// Of all of them.
    bytes: usize,
}

impl UnderWay {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How long ago the oldest was taken.
    pub(super) fn age(&self) -> Duration {
        self.appends.front().map_or(Duration::ZERO, |(at, _)| at.elapsed())
    }

    /// One more with so many bytes is taken now. Returns how much longer than an empty one it may take: for its bytes and those
    /// before it.
    pub(super) fn note(&mut self, bytes: usize) -> Duration {
        self.appends.push_back((Instant::now(), bytes));
        self.bytes += bytes;
        travel_time(self.bytes)
    }

    /// The oldest has its answer.
    pub(super) fn forget_oldest(&mut self) {
        if let Some((_, bytes)) = self.appends.pop_front() {
            self.bytes -= bytes;
        }
    }
}

/// How much longer than nothing so many bytes may take.
pub(super) fn travel_time(bytes: usize) -> Duration {
    let beyond = bytes.saturating_sub(FREE_BYTES) as u64;
    Duration::from_micros(beyond.saturating_mul(1_000_000) / SLOWEST_WIRE)
}

/// Bytes of the entries in a request.
pub(super) fn bytes_of(request: &AppendRequest) -> usize {
    let of_entry = |entry: &Entry| match &entry.payload {
        EntryPayload::Normal(payload) => payload.0.len(),
        _ => 0,
    };
    request.entries.iter().map(of_entry).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_behind_others_has_their_time_too() {
        let mut under_way = UnderWay::default();
        assert_eq!(under_way.note(100), Duration::ZERO, "few bytes need no time of their own");
        let one = under_way.note(1 << 20);
        let two = under_way.note(1 << 20);
        assert_eq!(two - one, Duration::from_secs(1));
        under_way.forget_oldest();
        under_way.forget_oldest();
        assert_eq!((under_way.bytes(), under_way.note(0)), (1 << 20, travel_time(1 << 20)));
    }
}
