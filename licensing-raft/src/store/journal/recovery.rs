//! Reading a journal back: which frames belong to the log, and what they add up to.
//!
//! The row of frames ends where one does not check, is of an earlier life of its file, or does not follow the one before
//! it. In the last file that is the end of the log: what comes behind was never acknowledged, or the mark says otherwise.
//! In an earlier one the log begins anew with the next file, and entries are missing if they are not in a snapshot.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use licensing_core::mutant::{Mutant, planted};
use openraft::entry::RaftEntry;

use super::frame::{Change, LENGTH_BYTES, file_path};
use crate::engine::types::{Entry, LogId};
use crate::store::contents::{Contents, Damage};
use crate::store::record;

type Frame = super::frame::Frame<Change<Vec<Entry>>>;

/// What a directory held.
pub(super) struct Found {
    pub(super) contents: Contents,
    /// In their order. One that a power cut brought back is used again like any other whose entries are purged.
    pub(super) files: Vec<FoundFile>,
    pub(super) spares: Vec<PathBuf>,
    /// Checksum of the last frame.
    pub(super) checksum: u32,
}

/// A file of the journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoundFile {
    pub(super) number: u64,
    /// Behind its last frame.
    pub(super) end: u64,
    pub(super) last_index: Option<u64>,
}

/// Reads everything in the directory.
pub(super) fn read(directory: &Path) -> io::Result<Result<Found, Damage>> {
    let (numbers, spares) = list(directory)?;
    let mut row = Row::default();
    let mut files = Vec::new();
    for number in numbers {
        let path = file_path(directory, number);
        let bytes = fs::read(&path)?;
        match row.read_file(number, &bytes) {
            Ok(file) => files.push(file),
            Err(problem) => {
                return Ok(Err(Damage(format!("the log {} is damaged: {problem}", path.display()))));
            }
        }
    }
    let checksum = row.checksum.unwrap_or(0);
    Ok(row.finish(directory).map(|contents| Found { contents, files, spares, checksum }))
}

/// The numbers of the files in their order, and the files to be used again.
fn list(directory: &Path) -> io::Result<(Vec<u64>, Vec<PathBuf>)> {
    let (mut numbers, mut spares) = (Vec::new(), Vec::new());
    for file in fs::read_dir(directory)? {
        let file = file?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        match name.parse() {
            Ok(number) => numbers.push(number),
            Err(_) if name.starts_with("spare-") => spares.push(file.path()),
            Err(_) => {}
        }
    }
    numbers.sort_unstable();
    spares.sort();
    Ok((numbers, spares))
}

/// The frames read so far, and what they add up to.
#[derive(Default)]
struct Row {
    contents: Contents,
    /// Of the frame before; `None` where the row begins.
    checksum: Option<u32>,
    /// Index that the next entry must have; `None` where the row begins.
    next: Option<u64>,
    /// What the frames say is committed, which may be ahead of them.
    committed: Option<LogId>,
}

impl Row {
    fn read_file(&mut self, number: u64, bytes: &[u8]) -> Result<FoundFile, String> {
        let mut file = FoundFile { number, end: 0, last_index: None };
        while let Some((frame, checksum, end)) = frame_at(bytes, file.end as usize, number) {
            if self.checksum.is_some_and(|before| before != frame.after) {
                if file.end > 0 {
                    break;
                }
                // Files are used again oldest first, and a power cut may bring back the name of one that was about to be.
                // Should the break mean anything else, the entries in front of it will be missed in the end.
                *self = Row::default();
            }
            if let Change::Append(entries) = &frame.change {
                let last = entries.last().map(|entry| entry.log_id().index);
                file.last_index = file.last_index.max(last);
            }
            self.take(frame)?;
            (self.checksum, file.end) = (Some(checksum), end as u64);
        }
        Ok(file)
    }

    fn take(&mut self, frame: Frame) -> Result<(), String> {
        self.contents.purged = self.contents.purged.max(frame.purged);
        self.committed = self.committed.max(frame.committed);
        if let Some(purged) = frame.purged
            && self.next.is_some_and(|next| next <= purged.index)
        {
            // A snapshot of the leader has replaced the whole log.
            self.contents.entries.clear();
            self.next = Some(purged.index + 1);
        }
        match frame.change {
            Change::Nothing => {}
            Change::Append(entries) => self.append(entries)?,
            Change::Truncate(from) => self.truncate(from),
        }
        // A follower learns of a commit before its own copy of the entries is durable. Taken then, the index would point
        // behind the log of a server that died in between, and openraft would refuse to start on it.
        let reached = |id: &LogId| self.next.is_some_and(|next| id.index < next);
        if let Some(committed) = self.committed.filter(|id| reached(id) || planted(Mutant::CommitAheadOfLog))
        {
            self.contents.committed = Some(committed);
        }
        Ok(())
    }

    fn append(&mut self, entries: Vec<Entry>) -> Result<(), String> {
        for entry in entries {
            let index = entry.log_id().index;
            if planted(Mutant::TruncationNotStored) {
                self.truncate(index);
            }
            if let Some(next) = self.next.filter(|next| *next != index) {
                return Err(format!("entry {index} stands where entry {next} belongs"));
            }
            self.next = Some(index + 1);
            self.contents.entries.push_back(entry);
        }
        Ok(())
    }

    fn truncate(&mut self, from: u64) {
        while self.contents.entries.pop_back_if(|entry| entry.log_id().index >= from).is_some() {}
        self.next = self.next.map(|next| next.min(from));
    }

    /// Without what is purged; nothing may be missing behind it.
    fn finish(mut self, directory: &Path) -> Result<Contents, Damage> {
        let contents = &mut self.contents;
        let purged = contents.purged.map(|id| id.index);
        while contents.entries.pop_front_if(|entry| Some(entry.log_id().index) <= purged).is_some() {}
        let first = contents.entries.front().map(|entry| entry.log_id().index);
        let expected = purged.map_or(0, |purged| purged + 1);
        if let Some(first) = first.filter(|first| *first != expected) {
            let directory = directory.display();
            return Err(Damage(format!(
                "the log {directory} is damaged: entry {expected} is missing before entry {first}"
            )));
        }
        Ok(self.contents)
    }
}

/// The frame at `place`, its checksum and where it ends; `None` when there is none of this life of the file.
fn frame_at(bytes: &[u8], place: usize, number: u64) -> Option<(Frame, u32, usize)> {
    let start = place.checked_add(LENGTH_BYTES)?;
    let length: [u8; LENGTH_BYTES] = bytes.get(place..start)?.try_into().ok()?;
    let end = start.checked_add(u32::from_le_bytes(length) as usize)?;
    let record = bytes.get(start..end)?;
    let frame: Frame = record::read(record, "log frame").ok()?;
    (frame.file == number).then(|| (frame, record::checksum(record), end))
}
