//! What all who take part in a run can see.

use std::sync::atomic::{AtomicBool, AtomicU64};

/// What everybody can see.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) stop: AtomicBool,
    /// Answers each client has got.
    pub(super) answers: Vec<AtomicU64>,
    /// What each server has shown that it has applied.
    pub(super) applied: [AtomicU64; 3],
    /// Times a client saw itself without a master.
    pub(super) disconnections: AtomicU64,
}
