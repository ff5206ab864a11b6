//! Everything a server keeps on disk, and the order in which it gets there. Nothing outside this folder knows how.
//!
//! | in the data directory | what | written |
//! |---|---|---|
//! | `triad` | whose directory this is, and how far the server belongs to the triad ([`directory`]) | rarely, atomically |
//! | `log/` | the entries ([`journal`]) | group commit ([`writer`]) |
//! | `vote/` | whom this server votes for, in sled ([`ballot`]) | when the master changes |
//! | `mark` | how far both had reached ([`mark`]): tells a torn log from a short one | after every commit |
//! | `snapshot-<index>` | the newest state, checksummed ([`shelf`]) | to a temporary name, then renamed |
//! | `lock` | held while a server runs on the directory | at start |
//! | `damaged-<number>/` | what was set aside because it had lost entries | never read again |
//!
//! What is durable before what: entries and votes before they are acknowledged; a snapshot before the entries it
//! replaces are purged; the lowered mark before a truncation; the standing "joining" before the first entry a
//! returning empty server takes.

mod ballot;
pub(crate) mod contents;
pub(crate) mod directory;
pub(crate) mod disk;
pub(crate) mod files;
mod journal;
pub(crate) mod log;
pub(crate) mod mark;
#[cfg(feature = "testing")]
pub(crate) mod memory;
pub(crate) mod persist;
pub(crate) mod record;
pub(crate) mod shelf;
pub(crate) mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::config::NodeConfig;
use crate::error::StartError;
use crate::membership::standing::{Standing, StandingKeeper};
use crate::store::contents::Damage;
use crate::store::directory::DataDirectory;
use crate::store::disk::{Disk, Opened};
use crate::store::files::io_error;
use crate::store::journal::FILE_BYTES;
use crate::store::log::LogStore;
use crate::store::shelf::{FileShelf, SnapshotShelf};
use crate::store::writer::Writer;

/// What a node needs of its disk.
pub(crate) struct Store {
    pub(crate) log: LogStore,
    pub(crate) shelf: Arc<dyn SnapshotShelf>,
    pub(crate) standing: Arc<dyn StandingKeeper>,
    /// Said once at start and in the status: what was found damaged, and what was done about it.
    pub(crate) remarks: Vec<String>,
}

impl Store {
    /// Opens the data directory of a server, or makes it. A log or snapshot that has lost acknowledged entries is set
    /// aside, and the server starts as an empty one that must catch up before it may vote.
    pub(crate) fn open(
        config: &NodeConfig,
        on_failure: impl Fn(String) + Send + 'static,
    ) -> Result<Store, StartError> {
        Store::open_sized(config, FILE_BYTES, on_failure)
    }

    /// The same with files of the journal of this size.
    pub(crate) fn open_sized(
        config: &NodeConfig,
        file_bytes: u64,
        on_failure: impl Fn(String) + Send + 'static,
    ) -> Result<Store, StartError> {
        let directory = DataDirectory::open(&config.data_dir, config.role, &config.triad)?;
        let shelf = FileShelf::new(directory.path());
        let mut remarks = Vec::new();
        let opened = match open_parts(&directory, file_bytes, &shelf)? {
            Ok(opened) => opened,
            Err(damage) => {
                // First, and durable: a server that is cut off in the middle of setting aside must not find its log gone
                // and itself a member. One that was never born has nothing to lose, and may still found the triad.
                let standing = directory.read();
                if standing != Standing::Unborn {
                    let joining = Standing::Joining { triad_id: standing.triad_id() };
                    let triad_file = directory.path().join("triad");
                    directory.write(&joining).map_err(|source| io_error("write", &triad_file, source))?;
                }
                let aside = directory.set_damaged_aside()?;
                remarks.push(format!(
                    "{damage}; it was set aside as {}, this server catches up from the others before it votes again",
                    aside.display()
                ));
                open_parts(&directory, file_bytes, &shelf)?.map_err(|damage| StartError::DataDirectory {
                    path: directory.path().to_owned(),
                    problem: format!("a newly made store is damaged again ({damage}): check the disk"),
                })?
            }
        };
        let Opened { disk, contents } = opened;
        let writer = Writer::start(disk, on_failure)
            .map_err(|source| io_error("start the writer thread for", directory.path(), source))?;
        Ok(Store {
            log: LogStore::new(contents, Arc::new(writer), config.pieces),
            shelf: Arc::new(shelf),
            standing: Arc::new(directory),
            remarks,
        })
    }
}

/// The log and the snapshot must fit together: entries below the snapshot may be gone, nothing above it.
fn open_parts(
    directory: &DataDirectory,
    file_bytes: u64,
    shelf: &FileShelf,
) -> Result<Result<Opened, Damage>, StartError> {
    let opened = match Disk::open(directory.path(), file_bytes)? {
        Ok(opened) => opened,
        Err(damage) => return Ok(Err(damage)),
    };
    let snapshot = match shelf.check() {
        Ok(snapshot) => snapshot,
        Err(damage) => return Ok(Err(damage)),
    };
    let purged = opened.contents.purged.map(|id| id.index);
    if purged > snapshot {
        return Ok(Err(Damage(format!(
            "the log was purged up to entry {}, but the newest snapshot {}",
            purged.unwrap_or_default(),
            match snapshot {
                Some(index) => format!("ends at entry {index}"),
                None => "is missing".to_owned(),
            }
        ))));
    }
    Ok(Ok(opened))
}
