//! The log on disk is purged behind a snapshot, and what is purged makes room: however much goes through it, the directory
//! stays as small as the entries that are kept. `growth` of the benches looks at the same for an hour, on real servers.

use std::fs;
use std::path::Path;

use licensing_core::id::Role;
use licensing_core::license::License;
use licensing_raft::NodeConfig;
use licensing_raft::testing::store::{Cargo, LogEntry, Place, RealStore};

/// A server whose state is small takes a snapshot every so many entries, and purges all before it but the last [`KEPT`].
const PURGE_EVERY: u64 = 5000;
const KEPT: u64 = 20_000;

/// Entries of a run.
const ENTRIES: u64 = 192_000;

/// Bytes of a checkout in the log, and a few more.
const PROPOSAL: usize = 64;

/// Twice what the directory takes with 25,000 entries in it, which is three files of the journal of a MiB each. All entries
/// of a run take fourteen: more than twice this.
const MOST_BYTES: u64 = 6 << 20;

fn config(directory: &Path) -> NodeConfig {
    let text = "SERVER a ANY 27001\nSERVER b ANY 27002\nSERVER c ANY 27003\nVENDOR demo\n";
    let license = License::parse(text).expect("a license");
    NodeConfig::from_license(&license, Role::Primary, directory).expect("a configuration")
}

fn bytes_below(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).expect("the directory is there").map(|file| file.expect("a file"));
    let bytes = |file: fs::DirEntry| match file.metadata() {
        Ok(data) if data.is_dir() => bytes_below(&file.path()),
        // One that the store has renamed or removed meanwhile takes no room of its own.
        data => data.map_or(0, |data| data.len()),
    };
    files.map(bytes).sum()
}

/// Sends `entries` through a new log, so many in a commit, and gives the most the directory took. With `purges` it is
/// purged as a server purges it.
async fn most_bytes(entries: u64, per_commit: u64, purges: bool) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let failed = |why| panic!("the store failed: {why}");
    let mut store = RealStore::open(&config(directory.path()), failed).expect("an empty directory is opened");
    let (mut purged, mut most) = (0, 0);
    for first in (0..entries).step_by(per_commit as usize) {
        let indexes = first..first + per_commit;
        let last = indexes.end - 1;
        let commit = indexes.map(|index| LogEntry {
            place: Place { term: 1, index },
            cargo: if index == 0 { Cargo::Founding } else { Cargo::Proposal(vec![7; PROPOSAL]) },
        });
        store.append(commit.collect()).await.unwrap().durable().await.unwrap();
        if last >= purged + PURGE_EVERY + KEPT {
            // The log is at its longest.
            most = most.max(bytes_below(directory.path()));
            purged = last - KEPT;
            if purges {
                store.purge(Place { term: 1, index: purged }).await.unwrap();
            }
        }
    }
    assert!(most > 0, "nothing was ever to be purged");
    store.close();
    most
}

#[tokio::test]
async fn a_log_that_is_purged_stays_small_however_much_goes_through_it() {
    for per_commit in [64, 256] {
        let most = most_bytes(ENTRIES, per_commit, true).await;
        eprintln!("{ENTRIES} entries, {per_commit} in a commit: at most {most} bytes on disk");
        assert!(most <= MOST_BYTES, "{per_commit} entries in a commit: the directory took {most} bytes");
    }
}

#[tokio::test]
async fn the_limit_is_one_that_a_log_without_purges_breaks() {
    let most = most_bytes(ENTRIES, 64, false).await;
    eprintln!("{ENTRIES} entries, none purged: {most} bytes on disk");
    assert!(most > MOST_BYTES, "all {ENTRIES} entries took {most} bytes only");
}
