//! What a history is a history of.

use std::collections::BTreeMap;

use licensing_core::id::Seats;
use serde::{Deserialize, Serialize};

/// Format of the text. Raise it when a reader of the old format would misjudge the new one.
pub const VERSION: u32 = 1;

/// What was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Name of the test.
    pub test: String,
    /// What its random choices came from.
    pub seed: u64,
    /// Seats of each feature.
    pub licensed: BTreeMap<String, Seats>,
}
