//! What a history is a history of.

use std::collections::BTreeMap;

use licensing_core::id::Seats;
use serde::{Deserialize, Serialize};

/// Format of the text. Raise it when a reader of the old format would misjudge the new one.
pub const VERSION: u32 = 3;

/// What was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Name of the test.
    pub test: String,
    /// What its random choices came from.
    pub seed: u64,
    /// How many servers there are, in the order of their roles.
    #[serde(default = "three")]
    pub servers: u32,
    /// Seats of each feature, those of [`About::later`] too.
    pub licensed: BTreeMap<String, Seats>,
    /// Vendors whose license is installed in the middle of the run, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub later: BTreeMap<String, Later>,
    /// Features whose license lines start or end: what is licensed of them depends on the day. [`About::licensed`] has the most
    /// that there ever is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dated: BTreeMap<String, Vec<Line>>,
}

/// A license line that gives seats from a moment on, or until one. Both are state time, in milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// How many.
    pub seats: Seats,
    /// The first moment; from the beginning if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// The first moment at which it gives none any more; for ever if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

/// A vendor that is not served from the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// The edition of the rules that allows its license beside the others.
    pub edition: u32,
    /// Its features.
    pub features: Vec<String>,
}

impl About {
    /// A run of three servers that have one vendor's license from the beginning.
    pub fn new(test: &str, seed: u64, licensed: BTreeMap<String, Seats>) -> About {
        let (test, later, dated) = (test.to_owned(), BTreeMap::new(), BTreeMap::new());
        About { version: VERSION, test, seed, servers: three(), licensed, later, dated }
    }
}

/// As histories of version 1 have it.
fn three() -> u32 {
    3
}
