//! What came out of a demonstration.

use std::time::Duration;

use serde::Serialize;

use super::audit::Findings;

/// How long the clients work undisturbed before and after each blow.
pub(super) const CALM: Duration = Duration::from_millis(700);

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Seats a client held and the servers had forgotten.
    pub lost: u64,
    /// Seats the servers counted and nobody held, and grants beyond the license.
    pub double: u64,
    /// From the SIGKILL to the first seat granted by the new master.
    pub failover_ms: u64,
    /// Longest wait of a client for an answer while mastership went back.
    pub handback_ms: u64,
    /// Requests the clients made.
    pub requests: u64,
    /// Requests without a definite answer.
    pub errors: u64,
}

impl Summary {
    /// Whether the promise was kept.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.double == 0 && self.errors == 0
    }
}

impl Summary {
    /// The last line.
    pub(super) fn words(&self) -> String {
        format!(
            "         {} requests, {} without an answer, {} seats lost, {} counted twice",
            self.requests, self.errors, self.lost, self.double
        )
    }

    pub(super) fn add(&mut self, found: &Findings) {
        self.lost += found.lost;
        self.double += found.unknown;
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
