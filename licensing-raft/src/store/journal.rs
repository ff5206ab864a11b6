//! The entries on disk: an append-only journal in files of a fixed size, written by one thread.
//!
//! A commit is one `pwrite` behind the last one and one `fdatasync`, over blocks that exist already, so the file system
//! has nothing to note about them: that is as little as a disk can be asked for. Files whose entries are all in a
//! snapshot are used again under a new name. ADR 0014 says why the entries are not in sled.
//!
//! A file is a row of frames, each a length (four bytes, little-endian) and a record (see [`record`]). Behind the last
//! frame stands a length of zero; what comes behind that is what the file held in an earlier life. A frame names the file
//! it was written for and the checksum of the frame before it, so nothing old and nothing out of its row is ever taken
//! for part of the log. [`recovery`] reads it all back.

mod frame;
mod recovery;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use licensing_core::mutant::{Mutant, planted};
use openraft::entry::RaftEntry;

use self::frame::{Change, Frame, LENGTH_BYTES, file_path};
use crate::engine::types::{Entry, LogId};
use crate::store::contents::{Contents, Damage};
use crate::store::files::sync_directory;
use crate::store::record;

/// Size of a file: some ten thousand checkouts, about two snapshots apart. Making a new one takes a few milliseconds, and
/// is needed only until the first ones can be used again.
pub(crate) const FILE_BYTES: u64 = 1 << 20;

/// Files kept for later use. A log that has once been long, while a large snapshot was written, will be again.
const SPARES: usize = 4;

/// Entries are put together into frames of about this size; one torn by a power cut costs what is in it.
const FRAME_BYTES: usize = 64 << 10;

/// A file that is no longer written to.
#[derive(Debug, Clone, Copy)]
struct Full {
    number: u64,
    /// The largest index of its entries.
    last_index: Option<u64>,
}

/// The file that is written to.
struct Current {
    file: File,
    number: u64,
    /// Where the next frame goes.
    place: u64,
    last_index: Option<u64>,
}

/// See the module.
pub(crate) struct Journal {
    directory: PathBuf,
    /// Size of a file, unless one entry is larger.
    file_bytes: u64,
    full: VecDeque<Full>,
    current: Current,
    spares: Vec<PathBuf>,
    /// Checksum of the last frame.
    checksum: u32,
    purged: Option<LogId>,
    committed: Option<LogId>,
    /// Frames that are not written yet.
    waiting: Vec<u8>,
    /// Whether [`Journal::purged`] has changed since the last frame.
    purge_untold: bool,
}

impl Journal {
    /// Opens the journal in `directory`, or makes one. Contradictions are [`Damage`]; a tail that a power cut has torn is
    /// left out, and it is for the mark to say whether it had been acknowledged.
    pub(crate) fn open(directory: &Path, file_bytes: u64) -> io::Result<Result<(Journal, Contents), Damage>> {
        fs::create_dir_all(directory)?;
        let found = match recovery::read(directory)? {
            Ok(found) => found,
            Err(damage) => return Ok(Err(damage)),
        };
        let (current, full) = match found.files.split_last() {
            Some((last, full)) => {
                let path = file_path(directory, last.number);
                let file = File::options().read(true).write(true).open(path)?;
                let current =
                    Current { file, number: last.number, place: last.end, last_index: last.last_index };
                let full = full.iter().map(|file| Full { number: file.number, last_index: file.last_index });
                (current, full.collect())
            }
            None => (new_current(directory, file_bytes, 1, &mut Vec::new())?, VecDeque::new()),
        };
        let journal = Journal {
            directory: directory.to_owned(),
            file_bytes,
            full,
            current,
            spares: found.spares,
            checksum: found.checksum,
            purged: found.contents.purged,
            committed: found.contents.committed,
            waiting: Vec::new(),
            purge_untold: false,
        };
        Ok(Ok((journal, found.contents)))
    }

    /// Adds entries behind the last one. Durable after [`Journal::sync`], as is all that follows.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut rest = entries;
        while !rest.is_empty() {
            let mut bytes = 0;
            let count = rest.iter().take_while(|entry| {
                let fits = bytes < FRAME_BYTES;
                bytes += entry_bytes(entry);
                fits
            });
            let (now, later) = rest.split_at(count.count());
            self.push(&Change::Append(now))?;
            let last = now.last().map(|entry| entry.log_id().index);
            self.current.last_index = self.current.last_index.max(last);
            rest = later;
        }
        Ok(())
    }

    /// Drops the entries from `from` on.
    pub(crate) fn truncate(&mut self, from: u64) -> io::Result<()> {
        if planted(Mutant::TruncationNotStored) {
            return Ok(());
        }
        self.push(&Change::Truncate(from))
    }

    /// Drops the entries up to this one: a snapshot has replaced them.
    pub(crate) fn purge(&mut self, upto: LogId) {
        if !planted(Mutant::PurgeNotStored) {
            self.purged = Some(upto);
        }
        self.purge_untold = true;
    }

    /// Notes along with the next frame what is known to be committed.
    pub(crate) fn note_committed(&mut self, committed: LogId) {
        self.committed = Some(committed);
    }

    /// Writes what is waiting; durable on return.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.purge_untold {
            self.push(&Change::Nothing)?;
        }
        self.write()?;
        self.use_again()
    }

    /// Syncs all files and their names: what a process before this one wrote may not be durable.
    pub(crate) fn sync_everything(&mut self) -> io::Result<()> {
        self.sync()?;
        for file in &self.full {
            File::open(file_path(&self.directory, file.number))?.sync_all()?;
        }
        self.current.file.sync_all()?;
        sync_directory(&self.directory)
    }

    fn push(&mut self, change: &Change<&[Entry]>) -> io::Result<()> {
        let mut record = self.record(change);
        let used = self.current.place as usize + self.waiting.len();
        if used > 0 && used + record.len() + 2 * LENGTH_BYTES > self.file_bytes as usize {
            self.next_file()?;
            record = self.record(change);
        }
        self.checksum = record::checksum(&record);
        self.purge_untold = false;
        self.waiting.extend_from_slice(&(record.len() as u32).to_le_bytes());
        self.waiting.extend_from_slice(&record);
        Ok(())
    }

    fn record(&self, change: &Change<&[Entry]>) -> Vec<u8> {
        record::write(&Frame {
            file: self.current.number,
            after: self.checksum,
            purged: self.purged,
            committed: self.committed,
            change,
        })
    }

    fn write(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let length = self.waiting.len();
        self.waiting.extend_from_slice(&[0; LENGTH_BYTES]);
        self.current.file.write_all_at(&self.waiting, self.current.place)?;
        self.waiting.clear();
        self.current.place += length as u64;
        if !planted(Mutant::WriteIsEnough) {
            self.current.file.sync_data()?;
        }
        Ok(())
    }

    /// What the current file holds is durable before the next one holds anything.
    fn next_file(&mut self) -> io::Result<()> {
        self.write()?;
        let next = new_current(&self.directory, self.file_bytes, self.current.number + 1, &mut self.spares)?;
        let before = std::mem::replace(&mut self.current, next);
        self.full.push_back(Full { number: before.number, last_index: before.last_index });
        Ok(())
    }

    /// Sets files aside whose entries are all in a snapshot. That they are is durable: every frame since says so.
    fn use_again(&mut self) -> io::Result<()> {
        let purged = self.purged.map(|id| id.index);
        while let Some(file) = self.full.pop_front_if(|file| file.last_index <= purged) {
            let path = file_path(&self.directory, file.number);
            if self.spares.len() < SPARES {
                let spare = spare_path(&self.directory, file.number);
                fs::rename(path, &spare)?;
                self.spares.push(spare);
            } else {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn entry_bytes(entry: &Entry) -> usize {
    match &entry.payload {
        openraft::EntryPayload::Normal(payload) => payload.0.len() + 32,
        _ => 64,
    }
}

fn spare_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("spare-{number:020}"))
}

/// An empty file whose name and blocks are durable, made of a spare one if there is one.
fn new_current(
    directory: &Path,
    file_bytes: u64,
    number: u64,
    spares: &mut Vec<PathBuf>,
) -> io::Result<Current> {
    let (file, made) = match spares.pop() {
        Some(spare) => {
            let file = File::options().read(true).write(true).open(&spare)?;
            file.write_all_at(&[0; LENGTH_BYTES], 0)?;
            // One entry may have been larger than a file.
            file.set_len(file_bytes)?;
            (file, spare)
        }
        None => {
            let made = spare_path(directory, number);
            let file = File::options().read(true).write(true).create(true).truncate(true).open(&made)?;
            file.write_all_at(&vec![0; file_bytes as usize], 0)?;
            (file, made)
        }
    };
    file.sync_all()?;
    fs::rename(made, file_path(directory, number))?;
    sync_directory(directory)?;
    Ok(Current { file, number, place: 0, last_index: None })
}
