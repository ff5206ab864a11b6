//! The raft log as openraft sees it. All entries that are not purged are kept in memory (a snapshot purges them, so
//! there are a few thousand), which makes them readable the moment they are appended; the disk is only read at start.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use licensing_core::mutant::{Mutant, planted};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::{EntryPayload, OptionalSend};
use tokio::sync::oneshot;

use crate::engine::types::{Entry, LogId, Types, Vote};
use crate::pieces::Pieces;
use crate::store::contents::Contents;
use crate::store::persist::{Persist, Write};

/// The log of one server; clones share it.
#[derive(Clone)]
pub(crate) struct LogStore {
    memory: Arc<Mutex<Contents>>,
    persist: Arc<dyn Persist>,
    /// See [`Pieces::read_bytes`].
    read_bytes: usize,
}

impl LogStore {
    pub(crate) fn new(contents: Contents, persist: Arc<dyn Persist>, pieces: Pieces) -> LogStore {
        LogStore { memory: Arc::new(Mutex::new(contents)), persist, read_bytes: pieces.read_bytes }
    }

    /// Finishes and syncs what is queued.
    pub(crate) fn close(&self) {
        self.persist.close();
    }

    /// Whether this entry was here and is not any more, because a snapshot holds it.
    pub(crate) fn is_purged(&self, index: u64) -> bool {
        self.memory().purged.is_some_and(|purged| index <= purged.index)
    }

    /// Whether no entry has ever been here: not one that is kept, not one that was purged.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.memory().last_index().is_none()
    }

    fn memory(&self) -> MutexGuard<'_, Contents> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once everything is durable that was given to the log before.
    pub(crate) async fn settle(&self) -> io::Result<()> {
        self.write(Write::Append(Vec::new())).await
    }

    async fn write(&self, write: Write) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        self.persist.submit(write, Some(Box::new(move |result| drop(done.send(result)))));
        wait.await.map_err(|_| io::Error::other("the log writer has stopped"))?
    }

    /// Whom this server voted for last.
    pub(crate) fn vote(&self) -> Option<Vote> {
        self.memory().vote
    }

    fn entries(&self, range: impl RangeBounds<u64>, mut bytes: usize) -> Vec<Entry> {
        let memory = self.memory();
        let within = |index: &u64| range.contains(index);
        let Some(first) = memory.entries.front().map(|entry| entry.log_id().index) else { return Vec::new() };
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => first,
        };
        let skipped = usize::try_from(start.saturating_sub(first)).unwrap_or(usize::MAX);
        let rest = memory.entries.range(skipped.min(memory.entries.len())..);
        let mut taken = Vec::new();
        for entry in rest.take_while(|entry| within(&entry.log_id().index)) {
            let size = match &entry.payload {
                EntryPayload::Normal(payload) => payload.0.len(),
                _ => 0,
            };
            if size > bytes && !taken.is_empty() {
                break;
            }
            bytes = bytes.saturating_sub(size);
            taken.push(entry.clone());
        }
        taken
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        Ok(self.entries(range, usize::MAX))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        // It may have been purged since openraft decided to send it. What comes behind it would be a gap; nothing is taken for
        // a heartbeat, which is noticed where it would be sent (`pipelined`).
        if self.is_purged(start) {
            return Ok(Vec::new());
        }
        Ok(self.entries(start..end, self.read_bytes))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.memory().vote)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let memory = self.memory();
        let last = memory.entries.back().map(RaftEntry::log_id).or(memory.purged);
        Ok(LogState { last_purged_log_id: memory.purged, last_log_id: last })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.write(Write::Vote(*vote)).await?;
        self.memory().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.memory().committed = committed;
        self.persist.note_committed(committed);
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.memory().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        self.memory().entries.extend(entries.iter().cloned());
        if planted(Mutant::AckBeforeSync) {
            self.persist.submit(Write::Append(entries), None);
            callback.io_completed(Ok(()));
            return Ok(());
        }
        let done = Box::new(move |result| callback.io_completed(result));
        self.persist.submit(Write::Append(entries), Some(done));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let from = last.map_or(0, |id| id.index + 1);
        {
            let mut memory = self.memory();
            while memory.entries.pop_back_if(|entry| entry.log_id().index >= from).is_some() {}
        }
        self.write(Write::Truncate { from }).await
    }

    /// Not waited for: the snapshot that replaces the entries is durable already, and a log that still has them after
    /// a crash is only longer than it needs to be.
    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        {
            let mut memory = self.memory();
            while memory.entries.pop_front_if(|entry| entry.log_id().index <= upto.index).is_some() {}
            memory.purged = Some(upto);
            shrink(&mut memory.entries);
        }
        self.persist.submit(Write::Purge(upto), None);
        Ok(())
    }
}

/// Gives memory back after a burst, when three quarters of it lie idle.
fn shrink(entries: &mut VecDeque<Entry>) {
    if entries.capacity() > 16_384 && entries.len() < entries.capacity() / 4 {
        entries.shrink_to(entries.len() * 2);
    }
}
