//! A disk in memory, for simulations: what was written but not yet synced is lost when its server crashes, everything
//! else stays. Writes become durable in order, each after a time of its own.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use licensing_core::command::{Command, Proposal};
use licensing_core::mutant::{Mutant, planted};
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use tokio::sync::mpsc;

use crate::config::NodeConfig;
use crate::engine::runtime;
use crate::engine::types::{Entry, LogId, SnapshotMeta};
use crate::membership::standing::{Standing, StandingKeeper};
use crate::store::Store;
use crate::store::contents::Contents;
use crate::store::log::LogStore;
use crate::store::persist::{Done, Persist, Write};
use crate::store::shelf::{SnapshotShelf, Work};

/// How a disk behaves.
pub trait DiskHabits: Send + Sync {
    /// How long the next sync takes.
    fn sync_time(&self) -> Duration;
    /// Whether the next write fails, and how; after a failure the server stops.
    fn failure(&self) -> Option<io::Error> {
        None
    }
    /// A server is about to write this: the moment for trouble.
    fn notice(&self, moment: DiskMoment) {
        let _ = moment;
    }
}

/// What is written. Most of it happens rarely, and must survive a crash at any instant around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskMoment {
    /// Entries are added to the log.
    Append,
    /// … and among them a license, or a part of one.
    License,
    /// … and among them a newer edition of the rules.
    Edition,
    /// A vote is saved.
    Vote,
    /// Entries that another leader overruled are taken off the end of the log.
    Truncate,
    /// Entries that a snapshot covers are taken off the beginning of the log.
    Purge,
    /// A snapshot is saved, of the server's own making or another's.
    Snapshot,
    /// The server founds a triad, or is promised to one that is founded.
    Founding,
    /// The server, which remembers nothing, joins a triad that exists.
    Joining,
    /// The server has caught up, and is a full member from now on.
    Readmitted,
}

/// When a system writes to its disk what nobody told it to sync.
const WRITE_BACK: Duration = Duration::from_secs(5);

/// The disk of one simulated server. Clones are the same disk; it outlives the server's crashes.
#[derive(Clone)]
pub struct MemoryDisk {
    durable: Arc<Mutex<Durable>>,
    habits: Arc<dyn DiskHabits>,
}

struct Durable {
    log: Contents,
    snapshot: Option<(SnapshotMeta, Bytes)>,
    standing: Standing,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new(habits: Arc<dyn DiskHabits>) -> MemoryDisk {
        let durable = Durable { log: Contents::default(), snapshot: None, standing: Standing::Unborn };
        MemoryDisk { durable: Arc::new(Mutex::new(durable)), habits }
    }

    /// Loses everything, as a replaced disk has.
    pub fn wipe(&self) {
        *self.lock() = Durable { log: Contents::default(), snapshot: None, standing: Standing::Unborn };
    }

    /// What a server finds on it. What its former life had not synced is gone: it was only in that life's queue.
    pub(crate) fn open(&self, config: &NodeConfig) -> Store {
        let (queue, writes) = mpsc::unbounded_channel();
        let contents = self.lock().log.clone();
        let (disk, writes, noted) = (self.clone(), Mutex::new(Some(writes)), Arc::default());
        Store {
            log: LogStore::new(contents, Arc::new(Queue { queue, disk, writes, noted }), config.pieces),
            shelf: Arc::new(self.clone()),
            standing: Arc::new(self.clone()),
            remarks: Vec::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Durable> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Group commit: everything that waits becomes durable together.
    async fn sync(self, mut writes: Writes, noted: Noted) {
        let (mut failed, mut unsynced) = (false, Vec::new());
        while let Some(first) = writes.recv().await {
            let mut batch = vec![first];
            while let Ok(next) = writes.try_recv() {
                batch.push(next);
            }
            if planted(Mutant::VoteNotSynced) {
                if batch.iter().all(|(write, _)| write.is_vote()) {
                    unsynced.extend(batch.into_iter().map(acknowledged));
                    continue;
                }
                batch.splice(0..0, unsynced.drain(..));
            }
            tokio::time::sleep(self.habits.sync_time()).await;
            let failure =
                if failed { Some(io::Error::other("the disk has failed")) } else { self.habits.failure() };
            failed = failure.is_some();
            for (write, done) in batch {
                if !failed {
                    let committed = *noted.lock().unwrap_or_else(PoisonError::into_inner);
                    self.lock().log.apply(write, committed);
                }
                if let Some(done) = done {
                    done(if failed { Err(io::Error::other("the disk has failed")) } else { Ok(()) });
                }
            }
        }
    }
}

/// The rarest that is among these entries.
fn appended(entries: &[Entry]) -> DiskMoment {
    let commands = entries.iter().filter_map(|entry| match &entry.payload {
        EntryPayload::Normal(payload) => {
            Proposal::from_bytes(&payload.0).ok().map(|proposal| proposal.command)
        }
        EntryPayload::Blank | EntryPayload::Membership(_) => None,
    });
    let mut moment = DiskMoment::Append;
    for command in commands {
        match command {
            Command::RaiseEdition { .. } => return DiskMoment::Edition,
            Command::Install(_) | Command::Stage { .. } => moment = DiskMoment::License,
            _ => {}
        }
    }
    moment
}

/// A write whose author is told that it is durable.
fn acknowledged((write, done): (Write, Option<Done>)) -> (Write, Option<Done>) {
    if let Some(done) = done {
        done(Ok(()));
    }
    (write, None)
}

impl Contents {
    fn apply(&mut self, write: Write, committed: Option<LogId>) {
        match write {
            Write::Append(entries) if planted(Mutant::TruncationNotStored) => self.overwrite(entries),
            Write::Append(entries) => self.entries.extend(entries),
            Write::Truncate { .. } if planted(Mutant::TruncationNotStored) => {}
            Write::Truncate { from } => self.entries.retain(|entry| entry.log_id().index < from),
            Write::Purge(upto) => {
                self.entries.retain(|entry| entry.log_id().index > upto.index);
                if !planted(Mutant::PurgeNotStored) {
                    self.purged = Some(upto);
                }
            }
            Write::Vote(vote) => self.vote = Some(vote),
        }
        // As the real disk: never an index behind the durable log.
        let behind = |id: LogId| Some(id.index) <= self.last_index() || planted(Mutant::CommitAheadOfLog);
        if committed.is_some_and(behind) {
            self.committed = committed;
        }
    }

    /// What a disk does that was not told to truncate.
    fn overwrite(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            let index = entry.log_id().index;
            match self.entries.iter_mut().find(|old| old.log_id().index == index) {
                Some(old) => *old = entry,
                None => self.entries.push_back(entry),
            }
        }
    }
}

type Writes = mpsc::UnboundedReceiver<(Write, Option<Done>)>;

/// The way to the disk in one life of its server.
struct Queue {
    queue: mpsc::UnboundedSender<(Write, Option<Done>)>,
    disk: MemoryDisk,
    /// Taken by the task that syncs, which belongs to the node and dies with it.
    writes: Mutex<Option<Writes>>,
    noted: Noted,
}

/// What is known to be committed, not on disk yet.
type Noted = Arc<Mutex<Option<LogId>>>;

impl Persist for Queue {
    fn submit(&self, write: Write, done: Option<Done>) {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writes) = writes {
            runtime::spawn(self.disk.clone().sync(writes, self.noted.clone()));
        }
        let moment = match &write {
            Write::Append(entries) => appended(entries),
            Write::Truncate { .. } => DiskMoment::Truncate,
            Write::Purge(_) => DiskMoment::Purge,
            Write::Vote(_) => DiskMoment::Vote,
        };
        self.disk.habits.notice(moment);
        // The task ends only with the node.
        let _ = self.queue.send((write, done));
    }

    fn note_committed(&self, committed: Option<LogId>) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = committed;
    }

    fn close(&self) {}
}

impl SnapshotShelf for MemoryDisk {
    fn save(&self, meta: SnapshotMeta, state: Bytes) -> Work<()> {
        let disk = self.clone();
        Box::pin(async move {
            disk.habits.notice(DiskMoment::Snapshot);
            if planted(Mutant::SnapshotNotSynced) {
                runtime::spawn(async move {
                    tokio::time::sleep(WRITE_BACK).await;
                    disk.lock().snapshot = Some((meta, state));
                });
                return Ok(());
            }
            tokio::time::sleep(disk.habits.sync_time()).await;
            disk.lock().snapshot = Some((meta, state));
            Ok(())
        })
    }

    fn load(&self) -> Work<Option<(SnapshotMeta, Bytes)>> {
        let snapshot = self.lock().snapshot.clone();
        Box::pin(async move { Ok(snapshot) })
    }
}

impl StandingKeeper for MemoryDisk {
    fn read(&self) -> Standing {
        self.lock().standing
    }

    fn write(&self, standing: &Standing) -> io::Result<()> {
        let before = std::mem::replace(&mut self.lock().standing, *standing);
        self.habits.notice(match (before, standing) {
            (_, Standing::Unborn | Standing::Joining { .. }) => DiskMoment::Joining,
            (Standing::Joining { .. }, Standing::Member { .. }) => DiskMoment::Readmitted,
            (_, Standing::Founding { .. } | Standing::Member { .. }) => DiskMoment::Founding,
        });
        Ok(())
    }

    fn release(&self) {}
}
