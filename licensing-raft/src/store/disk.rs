//! The log on disk: one sled database, written by one thread, made durable by us.
//!
//! sled's own `flush` only calls `sync_file_range`, which is no barrier against a power cut (spacejam/sled#1452), so
//! every commit here ends with `flush` *and* `fdatasync` of sled's `db` file. Entries of one commit share a record:
//! fewer, larger values are what sled is fastest at. `sled::Batch` and `flush_async` are never used: the first flushes
//! twice, the second has been seen to hang for good. ADR 0003 has the figures and the way out.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use licensing_core::mutant::{Mutant, planted};
use openraft::entry::RaftEntry;

use crate::error::StartError;
use crate::store::mark::{Mark, Reached};
use crate::store::writer::Write;
use crate::store::{io_error, record, sync_directory};
use crate::types::{Entry, LogId, Vote};

/// Entries are put together into records of about this size. sled keeps up to 17 records in a page, and a page above
/// 128 KiB in a file of its own (see [`SledDisk::sync_new_blobs`]): with records of this size it never does.
const RECORD_BYTES: usize = 6 << 10;

/// Purged records removed per commit: a purge of thousands must not hold up the checkouts behind it.
const REMOVALS_PER_COMMIT: usize = 64;

/// sled's page cache: the log is kept in memory by [`crate::store::log`], so sled needs little.
const CACHE_BYTES: u64 = 16 << 20;

const VOTE: &[u8] = b"vote";
const COMMITTED: &[u8] = b"committed";
const PURGED: &[u8] = b"purged";

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

/// A disk and what it held.
pub(crate) struct Opened {
    pub(crate) disk: SledDisk,
    pub(crate) contents: Contents,
}

/// First and last index of the entries in one record.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: u64,
    last: u64,
}

/// The log of one server on its disk.
pub(crate) struct SledDisk {
    path: PathBuf,
    db: sled::Db,
    /// A descriptor of sled's file for the `fdatasync` that sled leaves out.
    db_file: File,
    log: sled::Tree,
    meta: sled::Tree,
    spans: VecDeque<Span>,
    /// Files of large pages that are durable.
    blobs: BTreeSet<OsString>,
    purged: Option<u64>,
    mark: Mark,
    reached: Reached,
}

impl SledDisk {
    /// Opens the log in `directory`, or makes one. sled answers corruption with a panic or a silently shorter log:
    /// both come back as [`Damage`], an I/O error as [`StartError`].
    pub(crate) fn open(directory: &Path) -> Result<Result<Opened, Damage>, StartError> {
        let path = directory.join("log");
        let mark_path = directory.join("mark");
        let mark = match Mark::open(&mark_path).map_err(|source| io_error("open", &mark_path, source))? {
            Ok(mark) => mark,
            Err(_) => return Ok(Err(Damage(format!("the mark {} is unreadable", mark_path.display())))),
        };
        remove_unfinished(&path).map_err(|source| io_error("tidy", &path, source))?;
        // A panic inside sled leaves its threads behind; they hold nothing we use again.
        let opened = catch_unwind(AssertUnwindSafe(|| open_sled(&path)));
        let (db, contents, spans) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(OpenError::Start(error))) => return Err(error),
            Ok(Err(OpenError::Damage(damage))) => return Ok(Err(damage)),
            Err(_) => return Ok(Err(Damage(format!("sled cannot read {}", path.display())))),
        };
        if let Err(damage) = compare(&contents, mark.reached()) {
            return Ok(Err(damage));
        }
        let reached = Reached {
            last_index: contents.last_index().unwrap_or(0),
            term: contents.vote.map_or(0, |vote| vote.leader_id.term),
        };
        let wrap = |error: sled::Error| io_error("open", &path, error.into());
        let log = db.open_tree("log").map_err(wrap)?;
        let meta = db.open_tree("meta").map_err(wrap)?;
        let db_file = File::open(path.join("db")).map_err(|source| io_error("open", &path, source))?;
        let mut disk = SledDisk {
            purged: contents.purged.map(|id| id.index),
            path,
            db,
            db_file,
            log,
            meta,
            spans,
            blobs: BTreeSet::new(),
            mark,
            reached,
        };
        disk.sync_everything().map_err(|source| io_error("sync", directory, source))?;
        Ok(Ok(Opened { disk, contents }))
    }

    /// Carries out the writes in order; durable on return. After an error nothing more may be written.
    pub(crate) fn commit(&mut self, writes: &[Write], committed: Option<LogId>) -> io::Result<()> {
        let step = AssertUnwindSafe(|| self.commit_steps(writes, committed));
        catch_unwind(step).unwrap_or_else(|_| Err(io::Error::other("sled panicked while writing")))
    }

    /// Syncs what is only written, for a clean stop.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.db.flush()?;
        self.sync_everything()
    }

    fn commit_steps(&mut self, writes: &[Write], committed: Option<LogId>) -> io::Result<()> {
        let mut pending: Vec<Entry> = Vec::new();
        let mut sync_mark = false;
        for write in writes {
            match write {
                Write::Append(entries) => pending.extend(entries.iter().cloned()),
                Write::Truncate { from } => {
                    self.append(&mut pending)?;
                    self.truncate(*from)?;
                    sync_mark = true;
                }
                Write::Vote(vote) => {
                    self.meta.insert(VOTE, record::write(vote))?;
                    self.reached.term = vote.leader_id.term;
                    sync_mark = true;
                }
                Write::Purge(upto) => {
                    self.append(&mut pending)?;
                    if !planted(Mutant::PurgeNotStored) {
                        self.meta.insert(PURGED, record::write(upto))?;
                    }
                    self.purged = Some(upto.index);
                    self.reached.last_index = self.reached.last_index.max(upto.index);
                }
            }
        }
        self.append(&mut pending)?;
        // A follower learns of a commit before its own copy of the entries is durable. Stored now, the index would point
        // behind the log of a server that dies before its next commit, and openraft would refuse to start on it.
        let behind = |id: &LogId| id.index <= self.reached.last_index || planted(Mutant::CommitAheadOfLog);
        if let Some(committed) = committed.filter(behind) {
            self.meta.insert(COMMITTED, record::write(&committed))?;
        }
        self.remove_purged()?;
        if planted(Mutant::VoteNotSynced) && writes.iter().all(Write::is_vote) {
            return Ok(());
        }
        self.sync_new_blobs()?;
        self.db.flush()?;
        if !planted(Mutant::FlushIsEnough) {
            self.db_file.sync_data()?;
        }
        self.mark.set(self.reached)?;
        if sync_mark {
            self.mark.sync()?;
        }
        Ok(())
    }

    /// Stores the entries in as few records as their size allows.
    fn append(&mut self, entries: &mut Vec<Entry>) -> io::Result<()> {
        let mut rest = entries.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let count = rest.iter().take_while(|entry| {
                let fits = bytes < RECORD_BYTES;
                bytes += entry_bytes(entry);
                fits
            });
            let (now, later) = rest.split_at(count.count());
            let value = record::write(&now);
            let span = Span { first: now[0].log_id().index, last: now[now.len() - 1].log_id().index };
            self.log.insert(span.first.to_be_bytes(), value)?;
            self.spans.push_back(span);
            self.reached.last_index = span.last;
            rest = later;
        }
        entries.clear();
        Ok(())
    }

    /// Removes the entries from `from` on. The mark is lowered first: should the power fail in between, a log that is
    /// longer than its mark is no reason for alarm, a shorter one would be.
    fn truncate(&mut self, from: u64) -> io::Result<()> {
        self.reached.last_index = from.saturating_sub(1).max(self.purged.unwrap_or(0));
        self.mark.set(self.reached)?;
        self.mark.sync()?;
        while let Some(span) = self.spans.pop_back_if(|span| span.last >= from) {
            let key = span.first.to_be_bytes();
            if span.first >= from {
                if !planted(Mutant::TruncationNotStored) {
                    self.log.remove(key)?;
                }
                continue;
            }
            let value = self.log.get(key)?.ok_or_else(|| io::Error::other("a log record has vanished"))?;
            let mut kept: Vec<Entry> = record::read(&value, "log record").map_err(io::Error::other)?;
            kept.retain(|entry| entry.log_id().index < from);
            return self.append(&mut kept);
        }
        Ok(())
    }

    /// Removes a bounded number of records that a snapshot has replaced.
    fn remove_purged(&mut self) -> io::Result<()> {
        let Some(purged) = self.purged else { return Ok(()) };
        for _ in 0..REMOVALS_PER_COMMIT {
            match self.spans.pop_front_if(|span| span.last <= purged) {
                Some(span) => self.log.remove(span.first.to_be_bytes())?,
                None => break,
            };
        }
        Ok(())
    }

    /// sled stores a page that has grown large in a file of its own, and syncs neither that file nor its name. The page
    /// holds acknowledged entries, so the file must be durable before what points to it. When sled makes one cannot be
    /// told from what is written: a page grows with every record in it. So we look, before every flush.
    fn sync_new_blobs(&mut self) -> io::Result<()> {
        let directory = self.path.join("blobs");
        let (mut found, mut new) = (BTreeSet::new(), false);
        for file in std::fs::read_dir(&directory)? {
            let file = file?;
            if !self.blobs.contains(&file.file_name()) {
                match File::open(file.path()) {
                    Ok(blob) => blob.sync_data()?,
                    // sled has removed it already.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
                new = true;
            }
            found.insert(file.file_name());
        }
        self.blobs = found;
        if new { sync_directory(&directory) } else { Ok(()) }
    }

    fn sync_everything(&mut self) -> io::Result<()> {
        sync_files(&self.path)?;
        sync_files(&self.path.join("blobs"))?;
        if let Some(parent) = self.path.parent() {
            sync_directory(parent)?;
        }
        self.mark.sync()
    }
}

fn entry_bytes(entry: &Entry) -> usize {
    match &entry.payload {
        openraft::EntryPayload::Normal(payload) => payload.0.len() + 32,
        _ => 64,
    }
}

fn sync_files(directory: &Path) -> io::Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    for file in std::fs::read_dir(directory)? {
        let path = file?.path();
        if path.is_file() {
            File::open(path)?.sync_all()?;
        }
    }
    sync_directory(directory)
}

/// At its start sled writes down where its pages are, under a name that ends like this until it is done. One that was
/// left unfinished it takes for damage at the next start.
fn remove_unfinished(directory: &Path) -> io::Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    for file in std::fs::read_dir(directory)? {
        let path = file?.path();
        if path.extension().is_some_and(|ending| ending == "generating") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A log must hold everything its mark says it had.
fn compare(contents: &Contents, reached: Reached) -> Result<(), Damage> {
    let last = contents.last_index().unwrap_or(0);
    if last < reached.last_index {
        return Err(Damage(format!(
            "the log ends at entry {last}, entry {} had been acknowledged",
            reached.last_index
        )));
    }
    let term = contents.vote.map_or(0, |vote| vote.leader_id.term);
    if term < reached.term {
        return Err(Damage(format!(
            "the vote is of term {term}, one of term {} had been given",
            reached.term
        )));
    }
    Ok(())
}

enum OpenError {
    Start(StartError),
    Damage(Damage),
}

type SledContents = (sled::Db, Contents, VecDeque<Span>);

/// sled lets go of its file when the last of its own threads has ended, a moment after the database was dropped. Whoever
/// else could hold it does not: the data directory has a lock of ours, which this server has by now.
fn open_when_free(config: &sled::Config) -> sled::Result<sled::Db> {
    /// Its threads have nothing left to do; they only need a processor.
    const PATIENCE: Duration = Duration::from_secs(5);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match config.open() {
            // sled has no other name for it.
            Err(sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock") && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            opened => return opened,
        }
    }
}

fn open_sled(path: &Path) -> Result<SledContents, OpenError> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let db = open_when_free(&config).map_err(|error| sled_error(path, error))?;
    let log = db.open_tree("log").map_err(|error| sled_error(path, error))?;
    let meta = db.open_tree("meta").map_err(|error| sled_error(path, error))?;
    let mut contents = Contents {
        entries: VecDeque::new(),
        purged: read_meta(path, &meta, PURGED)?,
        vote: read_meta(path, &meta, VOTE)?,
        committed: read_meta(path, &meta, COMMITTED)?,
    };
    let mut spans = VecDeque::new();
    for item in log.iter() {
        let (key, value) = item.map_err(|error| sled_error(path, error))?;
        let entries: Vec<Entry> =
            record::read(&value, "log record").map_err(|error| unreadable(path, error))?;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Err(unreadable(path, "a record without entries"));
        };
        let span = Span { first: first.log_id().index, last: last.log_id().index };
        if key.as_ref() != span.first.to_be_bytes() {
            return Err(unreadable(path, "a record under the key of another"));
        }
        take_entries(path, &mut contents, entries)?;
        spans.push_back(span);
    }
    Ok((db, contents, spans))
}

/// Adds the entries that are not purged, and sees to it that none is missing.
fn take_entries(path: &Path, contents: &mut Contents, entries: Vec<Entry>) -> Result<(), OpenError> {
    for entry in entries {
        let index = entry.log_id().index;
        if contents.purged.is_some_and(|purged| index <= purged.index) {
            continue;
        }
        let expected = contents.last_index().map_or(0, |last| last + 1);
        if index != expected {
            return Err(unreadable(path, format!("entry {expected} is missing before entry {index}")));
        }
        contents.entries.push_back(entry);
    }
    Ok(())
}

fn read_meta<T: serde::de::DeserializeOwned>(
    path: &Path,
    meta: &sled::Tree,
    key: &[u8],
) -> Result<Option<T>, OpenError> {
    let value = meta.get(key).map_err(|error| sled_error(path, error))?;
    value
        .map(|bytes| record::read(&bytes, "log metadata").map_err(|error| unreadable(path, error)))
        .transpose()
}

fn unreadable(path: &Path, problem: impl fmt::Display) -> OpenError {
    OpenError::Damage(Damage(format!("the log {} is damaged: {problem}", path.display())))
}

/// An error of the system (no space, no permission) is not damage: the log may be whole.
fn sled_error(path: &Path, error: sled::Error) -> OpenError {
    match error {
        sled::Error::Io(source) => {
            let problem = match source.kind() {
                io::ErrorKind::StorageFull => "the disk is full, make room before starting: ".to_owned(),
                _ => String::new(),
            };
            OpenError::Start(StartError::DataDirectory {
                path: path.to_owned(),
                problem: format!("{problem}{source}"),
            })
        }
        other => unreadable(path, other),
    }
}
