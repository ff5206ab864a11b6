//! When the servers built snapshots, seen from outside: by the files they leave in their data directories, and by the
//! log indexes of answers.
//!
//! A snapshot is named for the last entry in it, so building began when the answer to that entry was given. Its file is
//! made when the state has been turned into bytes, and gets its name when it is durable.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use licensing_core::id::{LogIndex, Role};
use licensing_server::local_triad::LocalTriad;

use crate::work::answers::{Answered, Worked};

/// How a finished snapshot's file name begins (docs/storage.md); its index follows.
const PREFIX: &str = "snapshot-";

/// Between two looks. A snapshot that is replaced within this time is overlooked: it would have to be built in less.
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// A snapshot that was built while somebody watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Built {
    /// By whom.
    pub role: Role,
    /// The last entry in it.
    pub index: LogIndex,
    /// Length of its file, in bytes.
    pub bytes: u64,
    /// When the state had been turned into bytes.
    pub encoded: SystemTime,
    /// When it was durable.
    pub durable: SystemTime,
}

/// Watches until it is stopped.
#[derive(Debug)]
pub struct SnapshotWatch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Built>>,
}

impl SnapshotWatch {
    /// Notes what the servers build from now on.
    pub fn start(triad: &LocalTriad) -> io::Result<SnapshotWatch> {
        let directories = Role::ALL.map(|role| (role, triad.data_directory(role)));
        let stop = Arc::new(AtomicBool::new(false));
        let theirs = stop.clone();
        let thread = std::thread::Builder::new()
            .name("snapshot-watch".to_owned())
            .spawn(move || watch(&directories, &theirs))?;
        Ok(SnapshotWatch { stop, thread })
    }

    /// What was built, in no order.
    pub fn stop(self) -> anyhow::Result<Vec<Built>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread that watches for snapshots panicked"))
    }
}

fn watch(directories: &[(Role, PathBuf)], stop: &AtomicBool) -> Vec<Built> {
    let look = |found: &mut BTreeMap<(Role, LogIndex), Option<Built>>, first: bool| {
        for (role, directory) in directories {
            for (index, path) in snapshots(directory) {
                // What was there before is known and not counted.
                found
                    .entry((*role, index))
                    .or_insert_with(|| if first { None } else { stat(*role, index, &path) });
            }
        }
    };
    let mut found = BTreeMap::new();
    look(&mut found, true);
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK_PAUSE);
        look(&mut found, false);
    }
    found.into_values().flatten().collect()
}

/// The finished snapshots of a server. A directory that is not there has none.
fn snapshots(directory: &Path) -> Vec<(LogIndex, PathBuf)> {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    files.filter_map(|file| Some((index_in(file.file_name().to_str()?)?, file.path()))).collect()
}

fn index_in(name: &str) -> Option<LogIndex> {
    name.strip_prefix(PREFIX)?.parse().ok().map(LogIndex)
}

/// `None` when it has been replaced already.
fn stat(role: Role, index: LogIndex, path: &Path) -> Option<Built> {
    let metadata = path.metadata().ok()?;
    // Renaming is the last change to the file.
    let since_epoch =
        Duration::new(metadata.ctime().try_into().ok()?, metadata.ctime_nsec().try_into().ok()?);
    let durable = SystemTime::UNIX_EPOCH + since_epoch;
    Some(Built { role, index, bytes: metadata.len(), encoded: metadata.created().ok()?, durable })
}

/// When a snapshot was being built, counted from the beginning of some work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Building {
    /// The state was taken.
    pub from: Duration,
    /// The state had been turned into bytes.
    pub encoded: Duration,
    /// The file was durable.
    pub until: Duration,
}

impl Building {
    /// When the snapshots were built; those whose entry was decided before the work began, or after it, are left out.
    pub fn during(worked: &Worked, built: &[Built]) -> Vec<Building> {
        let mut by_index: Vec<&Answered> = worked.answers.iter().collect();
        by_index.sort_by_key(|answer| answer.index);
        let since_begin = |time: SystemTime| time.duration_since(worked.begun).unwrap_or_default();
        let building = |snapshot: &Built| {
            let place = by_index.partition_point(|answer| answer.index < snapshot.index);
            let before = by_index.get(place.checked_sub(1)?)?;
            by_index.get(place)?;
            let until = since_begin(snapshot.durable);
            // The answer may have come later than the snapshot was begun, never later than it was finished.
            let from = before.answered.min(until);
            Some(Building { from, encoded: since_begin(snapshot.encoded).clamp(from, until), until })
        };
        built.iter().filter_map(building).collect()
    }

    /// Whether an answer was waited for while this was built.
    pub fn overlaps(&self, answer: &Answered) -> bool {
        answer.asked <= self.until && answer.answered >= self.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn answer(index: u64, asked: u64, answered: u64) -> Answered {
        Answered { asked: ms(asked), answered: ms(answered), index: LogIndex(index), is_checkout: true }
    }

    #[test]
    fn only_finished_snapshots_have_an_index() {
        assert_eq!(index_in("snapshot-00000000000000005000"), Some(LogIndex(5000)));
        for name in ["new-snapshot-00000000000000005000", "snapshot-", "snapshot-x", "triad"] {
            assert_eq!(index_in(name), None, "{name}");
        }
    }

    #[test]
    fn building_begins_with_the_answer_to_the_last_entry_in_it() {
        let begun = SystemTime::UNIX_EPOCH;
        let answers = vec![answer(13, 30, 40), answer(10, 1, 5), answer(12, 10, 20)];
        let worked = Worked { begun, lasted: ms(50), answers, errors: 0 };
        let built = |index| Built {
            role: Role::Primary,
            index: LogIndex(index),
            bytes: 1,
            encoded: begun + ms(30),
            durable: begun + ms(35),
        };
        let during = Building::during(&worked, &[built(9), built(13), built(14)]);
        assert_eq!(during, [Building { from: ms(20), encoded: ms(30), until: ms(35) }]);
        assert!(during[0].overlaps(&answer(1, 34, 90)));
        assert!(!during[0].overlaps(&answer(1, 36, 90)));
        assert!(!during[0].overlaps(&answer(1, 1, 19)));
    }

    #[test]
    fn what_was_there_before_is_not_counted() {
        let directory = tempfile::tempdir().unwrap();
        let name = |index: u64| directory.path().join(format!("{PREFIX}{index:020}"));
        std::fs::write(name(1), "old").unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, path) = (stop.clone(), directory.path().to_owned());
        let watching = std::thread::spawn(move || watch(&[(Role::Primary, path)], &theirs));
        std::thread::sleep(LOOK_PAUSE * 3);
        std::fs::write(name(2), "new!").unwrap();
        std::thread::sleep(LOOK_PAUSE * 10);
        stop.store(true, Ordering::Relaxed);
        let built = watching.join().unwrap();
        assert_eq!(
            built.iter().map(|built| (built.index, built.bytes)).collect::<Vec<_>>(),
            [(LogIndex(2), 4)]
        );
    }
}
