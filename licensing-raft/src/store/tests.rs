//! The store against openraft's own suite, against a model, and against damage.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use openraft::entry::RaftEntry;
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{EntryPayload, StorageError};
use proptest::prelude::*;
use tempfile::TempDir;

use licensing_core::edition::Edition;

use super::contents::Contents;
use super::disk::Opened;
use super::journal::FILE_BYTES;
use super::persist::{Persist, Write};
use super::*;

use crate::Pieces;
use crate::engine::types::{Entry, LogId, Payload, Types, Vote};
use crate::machine::Machine;
use crate::membership::standing::TriadId;

/// Where the first entries are.
const FIRST_FILE: &str = "log/00000000000000000001";

fn writer(disk: Disk) -> Arc<Writer> {
    Arc::new(Writer::start(disk, |why| panic!("{why}")).unwrap())
}

struct DiskBuilder;

impl StoreBuilder<Types, LogStore, Machine, TempDir> for DiskBuilder {
    async fn build(&self) -> Result<(TempDir, LogStore, Machine), StorageError<Types>> {
        let dir = tempfile::tempdir().unwrap();
        let Opened { disk, contents } = Disk::open(dir.path(), FILE_BYTES).unwrap().unwrap();
        let shelf = Arc::new(FileShelf::new(dir.path()));
        Ok((
            dir,
            LogStore::new(contents, writer(disk), Pieces::default()),
            Machine::new(shelf, Edition::NEWEST),
        ))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_on_disk_passes_the_suite_of_openraft() {
    Suite::<Types, LogStore, Machine, DiskBuilder, TempDir>::test_all(DiskBuilder).await.unwrap();
}

#[cfg(feature = "testing")]
struct MemoryBuilder;

#[cfg(feature = "testing")]
impl StoreBuilder<Types, LogStore, Machine> for MemoryBuilder {
    async fn build(&self) -> Result<((), LogStore, Machine), StorageError<Types>> {
        struct Prompt;
        impl memory::DiskHabits for Prompt {
            fn sync_time(&self) -> std::time::Duration {
                std::time::Duration::ZERO
            }
        }
        let store = memory::MemoryDisk::new(Arc::new(Prompt)).open(&config(Path::new("memory")));
        Ok(((), store.log, Machine::new(store.shelf, Edition::NEWEST)))
    }
}

#[cfg(feature = "testing")]
#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_passes_the_suite_of_openraft() {
    Suite::<Types, LogStore, Machine, MemoryBuilder, ()>::test_all(MemoryBuilder).await.unwrap();
}

fn entry(term: u64, index: u64) -> Entry {
    let bytes = Bytes::from(vec![index as u8; (index % 7) as usize * 30]);
    Entry::new(LogId::new(leader(term), index), EntryPayload::Normal(Payload(bytes)))
}

fn leader(term: u64) -> openraft::alias::CommittedLeaderIdOf<Types> {
    use openraft::vote::RaftLeaderId;
    <openraft::alias::LeaderIdOf<Types> as RaftLeaderId>::new(term, 1).to_committed()
}

fn open(path: &Path) -> Opened {
    Disk::open(path, FILE_BYTES).unwrap().unwrap_or_else(|damage| panic!("{damage}"))
}

#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    Truncate(u8),
    Purge(u8),
    Vote,
    Commit,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1u8..40).prop_map(Step::Append),
        1 => any::<u8>().prop_map(Step::Truncate),
        1 => any::<u8>().prop_map(Step::Purge),
        1 => Just(Step::Vote),
        4 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

/// Turns a step into a write that openraft could ask for, and does the same to the model.
fn model_step(model: &mut Contents, term: &mut u64, step: &Step) -> Option<Write> {
    let next = model.last_index().map_or(0, |last| last + 1);
    let first = model.purged.map_or(0, |id| id.index + 1);
    match step {
        Step::Append(count) => {
            let entries: Vec<Entry> =
                (next..next + u64::from(*count)).map(|index| entry(*term, index)).collect();
            model.entries.extend(entries.iter().cloned());
            Some(Write::Append(entries))
        }
        Step::Truncate(share) => {
            let from = first + (next - first) * u64::from(*share) / 256;
            model.entries.retain(|entry| entry.log_id().index < from);
            Some(Write::Truncate { from })
        }
        Step::Purge(share) => {
            let upto = model.entries.get(model.entries.len() * usize::from(*share) / 256)?.log_id();
            model.entries.retain(|entry| entry.log_id().index > upto.index);
            model.purged = Some(upto);
            Some(Write::Purge(upto))
        }
        Step::Vote => {
            *term += 1;
            let vote = Vote::new(*term, 2);
            model.vote = Some(vote);
            Some(Write::Vote(vote))
        }
        Step::Commit | Step::Reopen => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_reopened_log_holds_exactly_what_was_committed(steps in prop::collection::vec(step(), 1..60)) {
        /// The shortest run uses several.
        const FILE_BYTES: u64 = 2048;
        let open = |path: &Path| Disk::open(path, FILE_BYTES).unwrap().unwrap_or_else(|damage| panic!("{damage}"));
        let dir = tempfile::tempdir().unwrap();
        let mut disk = open(dir.path()).disk;
        let (mut model, mut term, mut waiting) = (Contents::default(), 1, Vec::new());
        for step in steps.iter().chain([&Step::Reopen]) {
            waiting.extend(model_step(&mut model, &mut term, step));
            if matches!(step, Step::Commit | Step::Reopen) && !waiting.is_empty() {
                disk.commit(&waiting, None).unwrap();
                waiting.clear();
            }
            if matches!(step, Step::Reopen) {
                drop(disk);
                let opened = open(dir.path());
                prop_assert_eq!(&opened.contents, &model);
                disk = opened.disk;
            }
        }
    }
}

/// Enough for several files: old ones are used again, and what they held before is never taken for the log.
#[test]
fn a_journal_that_is_purged_does_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = open(dir.path()).disk;
    let large = |index: u64| {
        let bytes = Bytes::from(vec![index as u8; 30_000]);
        Entry::new(LogId::new(leader(1), index), EntryPayload::Normal(Payload(bytes)))
    };
    let mut most = 0;
    for index in 0..400 {
        disk.commit(&[Write::Append(vec![large(index)])], None).unwrap();
        if index % 50 == 49 {
            disk.commit(&[Write::Purge(LogId::new(leader(1), index - 10))], None).unwrap();
            disk = reopened(disk, dir.path(), index - 9..=index);
        }
        most = most.max(fs::read_dir(dir.path().join("log")).unwrap().count());
    }
    assert!(most <= 5, "{most} files for at most two megabytes of entries");
}

/// A log that was long once gives the room back, but for the few files that spare it making new ones.
#[test]
fn of_many_files_that_are_purged_four_are_kept_for_later() {
    const FILE_BYTES: u64 = 2048;
    let dir = tempfile::tempdir().unwrap();
    let mut disk = Disk::open(dir.path(), FILE_BYTES).unwrap().unwrap().disk;
    let append = |disk: &mut Disk, index| disk.commit(&[Write::Append(vec![entry(1, index)])], None).unwrap();
    for index in 0..200 {
        append(&mut disk, index);
    }
    let (in_use, spare) = journal_files(dir.path());
    assert!(in_use > 9 && spare == 0, "{in_use} files and {spare} spare ones: too few to say anything");
    disk.commit(&[Write::Purge(LogId::new(leader(1), 199))], None).unwrap();
    assert_eq!(journal_files(dir.path()), (1, 4));

    // What is kept is used before anything new is made.
    let mut next = 200;
    while journal_files(dir.path()).1 > 0 {
        append(&mut disk, next);
        next += 1;
    }
    assert_eq!(journal_files(dir.path()), (5, 0));
    disk.commit(&[Write::Purge(LogId::new(leader(1), next - 1))], None).unwrap();
    assert_eq!(journal_files(dir.path()), (1, 4));
}

/// How many files of the journal are in use, and how many are kept for later.
fn journal_files(path: &Path) -> (usize, usize) {
    let names = fs::read_dir(path.join("log")).unwrap().map(|file| file.unwrap().file_name());
    let (spare, in_use): (Vec<_>, Vec<_>) =
        names.partition(|name| name.to_string_lossy().starts_with("spare-"));
    (in_use.len(), spare.len())
}

/// Opens the disk again and compares the indexes of its entries.
fn reopened(disk: Disk, path: &Path, expected: std::ops::RangeInclusive<u64>) -> Disk {
    drop(disk);
    let Opened { disk, contents } = open(path);
    let indexes: Vec<u64> = contents.entries.iter().map(|entry| entry.log_id().index).collect();
    assert_eq!(indexes, expected.collect::<Vec<_>>());
    disk
}

/// Found by simulation: a follower heard of a commit while its own copy of the entries was still in the queue, died, and
/// could not be started again.
#[test]
fn a_commit_ahead_of_the_durable_log_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = open(dir.path()).disk;
    let entries: Vec<Entry> = (0..5).map(|index| entry(1, index)).collect();
    disk.commit(&[Write::Append(entries)], Some(LogId::new(leader(1), 3))).unwrap();
    disk.commit(&[Write::Append(vec![entry(1, 5)])], Some(LogId::new(leader(1), 9))).unwrap();
    drop(disk);
    assert_eq!(open(dir.path()).contents.committed, Some(LogId::new(leader(1), 3)));
}

/// Found by simulation: openraft reads what it decided to send a moment before it was purged. A gap is worse than nothing.
#[tokio::test]
async fn entries_to_send_begin_where_they_were_asked_to_begin_or_are_none() {
    use openraft::storage::{RaftLogReader, RaftLogStorage};
    let dir = tempfile::tempdir().unwrap();
    let mut disk = open(dir.path()).disk;
    disk.commit(&[Write::Append((0..10).map(|index| entry(1, index)).collect())], None).unwrap();
    drop(disk);
    let Opened { disk, contents } = open(dir.path());
    let mut log = LogStore::new(contents, writer(disk), Pieces::default());
    log.purge(LogId::new(leader(1), 4)).await.unwrap();
    let mut first = async |start| {
        let entries = log.limited_get_log_entries(start, 10).await.unwrap();
        entries.first().map(|entry| entry.log_id().index)
    };
    assert_eq!(
        [first(3).await, first(4).await, first(5).await, first(9).await],
        [None, None, Some(5), Some(9)]
    );
}

fn config(path: &Path) -> NodeConfig {
    let text =
        "SERVER 127.0.0.1 ANY 27001\nSERVER 127.0.0.1 ANY 27002\nSERVER 127.0.0.1 ANY 27003\nVENDOR demo\n";
    let license = licensing_core::license::License::parse(text).unwrap();
    NodeConfig::from_license(&license, licensing_core::id::Role::Primary, path).unwrap()
}

/// A member's directory with a hundred acknowledged entries.
fn filled(path: &Path) -> Standing {
    let member = Standing::Member { triad_id: TriadId([7; 16]) };
    let directory =
        DataDirectory::open(path, licensing_core::id::Role::Primary, &config(path).triad).unwrap();
    directory.write(&member).unwrap();
    let mut disk = open(path).disk;
    disk.commit(&[Write::Vote(Vote::new(3, 1))], None).unwrap();
    for index in 0..100 {
        disk.commit(&[Write::Append(vec![entry(3, index)])], None).unwrap();
    }
    disk.close().unwrap();
    member
}

/// After the damage the server must start mute: as one that must catch up, with the damaged files set aside.
fn check_noticed(damage: impl FnOnce(&Path), said: &str) {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    damage(dir.path());
    let store = Store::open(&config(dir.path()), |why| panic!("{why}")).unwrap();
    assert_eq!(store.standing.read(), Standing::Joining { triad_id: Some(TriadId([7; 16])) });
    assert!(store.remarks[0].contains(said), "{:?} should say `{said}`", store.remarks);
    assert!(dir.path().join("damaged-1").is_dir());
}

#[test]
fn an_undamaged_store_is_opened_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let member = filled(dir.path());
    let store = Store::open(&config(dir.path()), |why| panic!("{why}")).unwrap();
    assert_eq!(store.standing.read(), member);
    assert!(store.remarks.is_empty());
}

#[test]
fn a_log_that_lost_its_tail_is_noticed() {
    check_noticed(|path| fs::remove_dir_all(path.join("log")).unwrap(), "entry 99 had been acknowledged");
    check_noticed(
        |path| {
            let journal = fs::File::options().write(true).open(path.join(FIRST_FILE)).unwrap();
            journal.set_len(0).unwrap();
        },
        "entry 99 had been acknowledged",
    );
}

#[test]
fn a_lost_vote_is_noticed() {
    check_noticed(|path| fs::remove_dir_all(path.join("vote")).unwrap(), "one of term 3 had been given");
}

#[test]
fn an_unreadable_mark_is_noticed() {
    check_noticed(|path| fs::write(path.join("mark"), [9; 8192]).unwrap(), "the mark");
}

#[test]
fn a_flipped_bit_is_harmless_or_noticed_but_never_costs_an_entry_unseen() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let bytes = fs::read(dir.path().join(FIRST_FILE)).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    for place in (0..used).step_by(used / 40) {
        let copy = tempfile::tempdir().unwrap();
        for name in ["log", "vote"] {
            fs::create_dir(copy.path().join(name)).unwrap();
        }
        for name in ["triad", "mark", "lock", "vote/conf", "vote/db"] {
            fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
        }
        let mut flipped = bytes.clone();
        flipped[place] ^= 0x10;
        fs::write(copy.path().join(FIRST_FILE), flipped).unwrap();
        let store = Store::open(&config(copy.path()), |why| panic!("{why}")).unwrap();
        let noticed = matches!(store.standing.read(), Standing::Joining { .. });
        drop(store);
        assert!(noticed || open(copy.path()).contents.entries.len() == 100, "byte {place}");
    }
}

#[test]
fn a_purged_log_without_its_snapshot_is_noticed() {
    check_noticed(
        |path| {
            let mut disk = open(path).disk;
            disk.commit(&[Write::Purge(LogId::new(leader(3), 50))], None).unwrap();
        },
        "the newest snapshot is missing",
    );
}

#[test]
fn after_the_first_error_nothing_is_acknowledged_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path()).disk;
    let (said, hear) = std::sync::mpsc::channel();
    let writer = Writer::start(disk, move |why| said.send(why).unwrap()).unwrap();
    writer.close();
    let (done, wait) = std::sync::mpsc::channel();
    writer.submit(Write::Append(vec![entry(1, 0)]), Some(Box::new(move |result| done.send(result).unwrap())));
    assert!(wait.recv().unwrap().is_err());
    assert!(hear.try_recv().is_err(), "a closed log is not a failed one");
}
