//! What a log held when it was opened, or that it must not be trusted.

use std::collections::VecDeque;
use std::fmt;

use openraft::entry::RaftEntry;

use crate::engine::types::{Entry, LogId, Vote};

/// Acknowledged entries are missing, or may be: the store must not be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage(pub(crate) String);

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a log held when it was opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Contents {
    pub(crate) entries: VecDeque<Entry>,
    pub(crate) purged: Option<LogId>,
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
}

impl Contents {
    /// Index of the last entry, or of the last one that a snapshot replaced.
    pub(crate) fn last_index(&self) -> Option<u64> {
        self.entries.back().map(|entry| entry.log_id().index).max(self.purged.map(|id| id.index))
    }
}
