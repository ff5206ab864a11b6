//! A log in sled, as the store had one before the journal: the entries of a commit are one value under the key of the
//! first of them, durable after sled's `flush` and the `fdatasync` that sled leaves out.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;

use super::log_thread::{Engine, PlainEntry, record};
use super::{KEPT, PURGE_EVERY};

/// sled's page cache: a server has its log in memory, so sled needs little.
const CACHE_BYTES: u64 = 16 << 20;

/// Purged records removed per commit: a purge of thousands must not hold up the commits behind it.
const REMOVALS_PER_COMMIT: usize = 64;

/// See the module.
pub(crate) struct SledLog {
    db: sled::Db,
    /// A descriptor of sled's file for the `fdatasync`.
    db_file: File,
    /// First and last index of the entries in each record.
    spans: VecDeque<(u64, u64)>,
    /// Entries before this one are no longer needed.
    purged: u64,
}

impl SledLog {
    /// Makes a database in `path`.
    pub(crate) fn create(path: &Path) -> io::Result<SledLog> {
        let db = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None).open()?;
        let db_file = File::open(path.join("db"))?;
        Ok(SledLog { db, db_file, spans: VecDeque::new(), purged: 0 })
    }

    /// Removes a bounded number of records that a snapshot would have replaced.
    fn remove_purged(&mut self) -> io::Result<()> {
        for _ in 0..REMOVALS_PER_COMMIT {
            match self.spans.pop_front_if(|(_, last)| *last < self.purged) {
                Some((first, _)) => self.db.remove(first.to_be_bytes())?,
                None => break,
            };
        }
        Ok(())
    }
}

impl Engine for SledLog {
    fn commit(&mut self, entries: &[PlainEntry]) -> io::Result<()> {
        if let (Some((_, first, _)), Some((_, last, _))) = (entries.first(), entries.last()) {
            self.db.insert(first.to_be_bytes(), record(entries))?;
            self.spans.push_back((*first, *last));
            if last + 1 - self.purged >= PURGE_EVERY + KEPT {
                self.purged = last + 1 - KEPT;
            }
        }
        self.remove_purged()?;
        self.db.flush()?;
        self.db_file.sync_data()
    }
}
