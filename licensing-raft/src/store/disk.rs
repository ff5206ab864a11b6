//! The log of one server on its disk: entries in the [`Journal`], the vote in the [`Ballot`], and beside them the mark
//! that tells whether either has lost anything.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use licensing_core::mutant::{Mutant, planted};
use openraft::entry::RaftEntry;

use crate::engine::types::{Entry, LogId};
use crate::error::StartError;
use crate::store::ballot::Ballot;
use crate::store::contents::{Contents, Damage};
use crate::store::files::{io_error, sync_directory};
use crate::store::journal::Journal;
use crate::store::mark::{Mark, Reached};
use crate::store::persist::Write;

/// A disk and what it held.
pub(crate) struct Opened {
    pub(crate) disk: Disk,
    pub(crate) contents: Contents,
}

/// The log of one server on its disk.
pub(crate) struct Disk {
    directory: PathBuf,
    journal: Journal,
    ballot: Ballot,
    mark: Mark,
    reached: Reached,
}

impl Disk {
    /// Opens the log in `directory`, or makes one. What contradicts itself or has lost anything comes back as [`Damage`],
    /// an I/O error as [`StartError`]. `file_bytes` is the size of a file of the journal.
    pub(crate) fn open(directory: &Path, file_bytes: u64) -> Result<Result<Opened, Damage>, StartError> {
        let mark_path = directory.join("mark");
        let mark = match Mark::open(&mark_path).map_err(|source| io_error("open", &mark_path, source))? {
            Ok(mark) => mark,
            Err(_) => return Ok(Err(Damage(format!("the mark {} is unreadable", mark_path.display())))),
        };
        let (ballot, vote) = match Ballot::open(&directory.join("vote"))? {
            Ok(opened) => opened,
            Err(damage) => return Ok(Err(damage)),
        };
        let log = directory.join("log");
        let (journal, contents) =
            match Journal::open(&log, file_bytes).map_err(|source| io_error("open", &log, source))? {
                Ok((journal, contents)) => (journal, Contents { vote, ..contents }),
                Err(damage) => return Ok(Err(damage)),
            };
        if let Err(damage) = compare(&contents, mark.reached()) {
            return Ok(Err(damage));
        }
        let reached = Reached {
            last_index: contents.last_index().unwrap_or(0),
            term: contents.vote.map_or(0, |vote| vote.leader_id.term),
        };
        let mut disk = Disk { directory: directory.to_owned(), journal, ballot, mark, reached };
        disk.sync_everything().map_err(|source| io_error("sync", directory, source))?;
        Ok(Ok(Opened { disk, contents }))
    }

    /// Carries out the writes in order; durable on return. After an error nothing more may be written.
    pub(crate) fn commit(&mut self, writes: &[Write], committed: Option<LogId>) -> io::Result<()> {
        let step = AssertUnwindSafe(|| self.commit_steps(writes, committed));
        catch_unwind(step).unwrap_or_else(|_| Err(io::Error::other("the store panicked while writing")))
    }

    /// Syncs what is only written, for a clean stop.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.sync_everything()
    }

    fn commit_steps(&mut self, writes: &[Write], committed: Option<LogId>) -> io::Result<()> {
        if let Some(committed) = committed {
            self.journal.note_committed(committed);
        }
        let (mut voted, mut truncated) = (false, false);
        for write in writes {
            match write {
                Write::Append(entries) => self.append(entries)?,
                Write::Truncate { from } => {
                    self.truncate(*from)?;
                    truncated = true;
                }
                Write::Vote(vote) => {
                    self.ballot.save(vote)?;
                    self.reached.term = vote.leader_id.term;
                    voted = true;
                }
                Write::Purge(upto) => {
                    self.journal.purge(*upto);
                    self.reached.last_index = self.reached.last_index.max(upto.index);
                }
            }
        }
        if planted(Mutant::VoteNotSynced) && writes.iter().all(Write::is_vote) {
            return Ok(());
        }
        if voted {
            self.ballot.sync()?;
        }
        self.journal.sync()?;
        self.mark.set(self.reached)?;
        if voted || truncated {
            self.mark.sync()?;
        }
        Ok(())
    }

    fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        self.journal.append(entries)?;
        if let Some(last) = entries.last() {
            self.reached.last_index = last.log_id().index;
        }
        Ok(())
    }

    /// Removes the entries from `from` on. The mark is lowered first: should the power fail in between, a log that is
    /// longer than its mark is no reason for alarm, a shorter one would be.
    fn truncate(&mut self, from: u64) -> io::Result<()> {
        self.reached.last_index = from.saturating_sub(1);
        self.mark.set(self.reached)?;
        self.mark.sync()?;
        self.journal.truncate(from)
    }

    fn sync_everything(&mut self) -> io::Result<()> {
        self.ballot.sync_everything()?;
        self.journal.sync_everything()?;
        sync_directory(&self.directory)?;
        self.mark.sync()
    }
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
