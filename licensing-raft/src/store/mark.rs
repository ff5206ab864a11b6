//! The high-water mark: how far the log and the vote had durably reached, kept beside them. A damaged journal ends early
//! and a damaged sled database opens with an older vote; the mark tells that apart from a log that was never longer.
//!
//! The mark is written after every commit and synced only where it must be (a vote, a truncation, the stop). So after
//! a power cut it may be older than the log, never newer: it cannot raise a false alarm. It lives in two slots written
//! in turn, so that a torn write destroys at most one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::store::record;

/// Slots are a page apart, so that one torn page cannot hold both.
const SLOT_DISTANCE: u64 = 4096;
/// Room for one record with its length in front.
const SLOT_BYTES: usize = 96;

/// How far a log had reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Reached {
    /// Index of the last durable entry, or of the last one a snapshot replaced; 0 for none.
    pub(crate) last_index: u64,
    /// Term of the last durable vote; 0 for none.
    pub(crate) term: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Slot {
    sequence: u64,
    reached: Reached,
}

#[cfg(feature = "testing")]
impl Slot {
    /// One that says something.
    pub(crate) fn sample() -> Slot {
        Slot { sequence: 300, reached: Reached { last_index: 70_000, term: 4 } }
    }
}

pub(crate) struct Mark {
    file: File,
    sequence: u64,
    reached: Reached,
}

impl Mark {
    /// Opens the mark, or makes one that says nothing. The inner error: neither slot can be read.
    pub(crate) fn open(path: &Path) -> io::Result<Result<Mark, Unreadable>> {
        let existed = path.exists();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if !existed || file.metadata()?.len() == 0 {
            let mut mark = Mark { file, sequence: 0, reached: Reached::default() };
            mark.write()?;
            mark.write()?;
            mark.sync()?;
            return Ok(Ok(mark));
        }
        let newest =
            [0, 1].into_iter().filter_map(|place| read_slot(&file, place)).max_by_key(|slot| slot.sequence);
        Ok(match newest {
            Some(Slot { sequence, reached }) => Ok(Mark { file, sequence, reached }),
            None => Err(Unreadable),
        })
    }

    pub(crate) fn reached(&self) -> Reached {
        self.reached
    }

    /// Notes how far the log has reached. Durable only after [`Mark::sync`].
    pub(crate) fn set(&mut self, reached: Reached) -> io::Result<()> {
        if reached == self.reached {
            return Ok(());
        }
        self.reached = reached;
        self.write()
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&mut self) -> io::Result<()> {
        self.sequence += 1;
        let bytes = record::write(&Slot { sequence: self.sequence, reached: self.reached });
        let mut slot = [0; SLOT_BYTES];
        slot[0] = bytes.len() as u8;
        slot[1..=bytes.len()].copy_from_slice(&bytes);
        self.file.write_all_at(&slot, (self.sequence % 2) * SLOT_DISTANCE)
    }
}

/// Neither slot of a mark holds a record.
#[derive(Debug)]
pub(crate) struct Unreadable;

fn read_slot(file: &File, place: u64) -> Option<Slot> {
    let mut slot = [0; SLOT_BYTES];
    file.read_exact_at(&mut slot, place * SLOT_DISTANCE).ok()?;
    let length = usize::from(slot[0]);
    record::read(slot.get(1..=length)?, "mark").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Mark {
        Mark::open(path).unwrap().unwrap()
    }

    #[test]
    fn a_mark_keeps_what_was_set_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        for last_index in 1..20 {
            open(&path).set(Reached { last_index, term: 3 }).unwrap();
            assert_eq!(open(&path).reached(), Reached { last_index, term: 3 });
        }
    }

    #[test]
    fn a_torn_write_costs_at_most_the_last_set() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        let mut mark = open(&path);
        for last_index in 1..8 {
            mark.set(Reached { last_index, term: 1 }).unwrap();
            let written = mark.sequence % 2;
            mark.file.write_all_at(&[0xff; 40], written * SLOT_DISTANCE).unwrap();
            assert_eq!(open(&path).reached().last_index, last_index - 1);
            mark.sequence -= 1;
            mark.write().unwrap();
        }
    }

    #[test]
    fn a_mark_with_both_slots_destroyed_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        drop(open(&path));
        let length = std::fs::metadata(&path).unwrap().len() as usize;
        std::fs::write(&path, vec![0xa5; length]).unwrap();
        assert!(Mark::open(&path).unwrap().is_err());
    }
}
