//! The vote on disk: one key in a sled database. It changes only when the master does.
//!
//! sled's own `flush` only calls `sync_file_range`, which is no barrier against a power cut (spacejam/sled#1452), so a
//! vote is durable after `flush` *and* `fdatasync` of sled's `db` file. `flush_async` is never used: it has been seen to
//! hang for good. ADR 0003 has the story and the way out.

use std::fmt;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::engine::types::Vote;
use crate::error::StartError;
use crate::store::contents::Damage;
use crate::store::files::{io_error, sync_directory};
use crate::store::record;

/// sled's page cache; it takes no less, and there is one page.
const CACHE_BYTES: u64 = 1 << 20;

const VOTE: &[u8] = b"vote";

/// Whom this server votes for, on its disk.
pub(crate) struct Ballot {
    path: PathBuf,
    db: sled::Db,
    /// A descriptor of sled's file for the `fdatasync` that sled leaves out.
    db_file: File,
}

impl Ballot {
    /// Opens the database in `path`, or makes one. sled answers corruption with a panic, a silently older vote or none:
    /// the first comes back as [`Damage`], the others show beside the mark. An I/O error is a [`StartError`].
    pub(crate) fn open(path: &Path) -> Result<Result<(Ballot, Option<Vote>), Damage>, StartError> {
        remove_unfinished(path).map_err(|source| io_error("tidy", path, source))?;
        // A panic inside sled leaves its threads behind; they hold nothing we use again.
        match catch_unwind(AssertUnwindSafe(|| open_sled(path))) {
            Ok(Ok(opened)) => Ok(Ok(opened)),
            Ok(Err(OpenError::Start(error))) => Err(error),
            Ok(Err(OpenError::Damage(damage))) => Ok(Err(damage)),
            Err(_) => Ok(Err(Damage(format!("sled cannot read {}", path.display())))),
        }
    }

    /// Notes the vote. Durable after [`Ballot::sync`].
    pub(crate) fn save(&mut self, vote: &Vote) -> io::Result<()> {
        self.db.insert(VOTE, record::write(vote))?;
        Ok(())
    }

    /// Makes the vote durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.db.flush()?;
        self.db_file.sync_data()
    }

    /// Syncs sled's files and their names: what a process before this one wrote may not be durable.
    pub(crate) fn sync_everything(&mut self) -> io::Result<()> {
        self.db.flush()?;
        for file in std::fs::read_dir(&self.path)? {
            let path = file?.path();
            if path.is_file() {
                File::open(path)?.sync_all()?;
            }
        }
        sync_directory(&self.path)
    }
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

enum OpenError {
    Start(StartError),
    Damage(Damage),
}

fn open_sled(path: &Path) -> Result<(Ballot, Option<Vote>), OpenError> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let db = open_when_free(&config).map_err(|error| sled_error(path, error))?;
    let vote = db.get(VOTE).map_err(|error| sled_error(path, error))?;
    let vote = vote.map(|bytes| record::read(&bytes, "vote").map_err(|error| unreadable(path, error)));
    let vote = vote.transpose()?;
    let db_file =
        File::open(path.join("db")).map_err(|source| OpenError::Start(io_error("open", path, source)))?;
    Ok((Ballot { path: path.to_owned(), db, db_file }, vote))
}

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

fn unreadable(path: &Path, problem: impl fmt::Display) -> OpenError {
    OpenError::Damage(Damage(format!("the vote in {} is damaged: {problem}", path.display())))
}

/// An error of the system (no space, no permission) is not damage: the vote may be whole.
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
