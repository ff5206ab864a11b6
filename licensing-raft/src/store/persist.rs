//! The changes of a log, and where they become durable.

use std::io;

use crate::engine::types::{Entry, LogId, Vote};

/// A change of the log on disk.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// Entries behind the last one.
    Append(Vec<Entry>),
    /// Drop the entries from this index on.
    Truncate { from: u64 },
    /// Entries up to here are in a snapshot.
    Purge(LogId),
    /// Whom this server votes for.
    Vote(Vote),
}

impl Write {
    pub(crate) fn is_vote(&self) -> bool {
        matches!(self, Write::Vote(_))
    }
}

/// Called once the write is durable, or has failed.
pub(crate) type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// Where log changes become durable, in the order of submission.
pub(crate) trait Persist: Send + Sync {
    /// Queues a write.
    fn submit(&self, write: Write, done: Option<Done>);
    /// Remembers what is known to be committed along with the next write; losing it is harmless.
    fn note_committed(&self, committed: Option<LogId>);
    /// Finishes what is queued and syncs everything. Nothing may be submitted after it.
    fn close(&self);
}
