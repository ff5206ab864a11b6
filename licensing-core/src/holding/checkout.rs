//! One checkout.

use std::sync::Arc;

use crate::id::{PoolId, Seats, SessionId, Timestamp};

/// Seats in the hands of a session. Small, because there may be a million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkout {
    pub(crate) session: SessionId,
    pub(crate) pool: PoolId,
    pub(crate) seats: Seats,
    /// The version asked for; the pool's own text when equal.
    pub(crate) version: Arc<str>,
    pub(crate) since: Timestamp,
}
