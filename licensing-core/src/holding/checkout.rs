//! One checkout.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::Holder;
use crate::id::{PoolId, Seats, SessionId, Timestamp};

/// Seats in somebody's hands. Small, because there may be a million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// Shared with the session while it lives.
    pub(crate) holder: Arc<Holder>,
    pub(crate) keeper: Keeper,
    pub(crate) pool: PoolId,
    pub(crate) seats: Seats,
    /// The version asked for; the pool's own text when equal.
    pub(crate) version: Arc<str>,
    pub(crate) since: Timestamp,
}

/// What keeps seats out: when it ends, they come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Keeper {
    /// A living session.
    Session(SessionId),
    /// A linger, which ends at that time.
    Linger {
        /// State time of its end.
        until: Timestamp,
    },
    /// A borrow, which ends at that time.
    Borrow {
        /// State time of its end.
        until: Timestamp,
    },
}

impl Keeper {
    /// The session, if it is one.
    pub fn session(self) -> Option<SessionId> {
        match self {
            Keeper::Session(session) => Some(session),
            Keeper::Linger { .. } | Keeper::Borrow { .. } => None,
        }
    }
}
