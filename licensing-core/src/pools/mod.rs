//! Pools: which license lines count their seats together, how many seats that is at a moment, and in which order they
//! are tried.
//!
//! The property kept: pools are a function of the license alone, so three servers that installed the same license have
//! the same pools, and a pool that comes back under the same key keeps its id and its seats. Nothing here takes a seat
//! or gives one back: that is done by `ledger`.

pub(crate) mod catalog;
pub(crate) mod key;
pub(crate) mod layout;
pub(crate) mod rank;
pub(crate) mod terms;

use std::sync::Arc;

use crate::id::Seats;
use terms::PoolTerms;

/// One pool: its terms and the seats that are out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pool {
    /// Seats out now. Wider than [`Seats`] because an uncounted pool has no limit.
    pub(crate) in_use: u64,
    /// Seats that were out when the license was installed, and may stay out even if it gives fewer.
    pub(crate) carried: u64,
    pub(crate) terms: Arc<PoolTerms>,
}

/// A sum as [`Seats`], at most the largest number of them.
pub(crate) fn narrow(seats: u64) -> Seats {
    Seats(u32::try_from(seats).unwrap_or(u32::MAX))
}
