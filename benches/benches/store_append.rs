//! What the store adds to the disk: commits of the journal a node has, of sled as the store had it before, and of a plain
//! file, in the same run on the same disk. One entry per commit is a single client; 64 are a busy group commit; three at
//! once are a triad on one machine.
//!
//! Criterion's times are those of one commit of every store; its elements are entries.

// What cannot be set up cannot be measured: panicking says so.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::hint::black_box;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use licensing_benches::show::output::talk;
use licensing_benches::work::triad::{Profile, TriadArgs};
use licensing_core::command::Proposal;
use licensing_core::id::Role;
use licensing_core::license::License;
use licensing_raft::NodeConfig;
use licensing_raft::testing::store::{Cargo, LogEntry, Place, RealStore};
use support::log_thread::{Engine, LogThread};
use support::plain_file::PlainFile;
use support::site::checkout_proposal;
use support::sled_log::SledLog;
use support::{KEPT, PURGE_EVERY};
use tokio::runtime::{Builder, Runtime};

/// What goes through a log before it is measured: four files of the journal, so that it uses old files again from then
/// on, as one that has run for a while.
const ENTRIES_BEFORE: u64 = 100_000;

/// Something that makes entries durable.
trait Log: Send {
    /// Appends so many entries behind the last one and returns when they are on the disk.
    fn commit(&mut self, entries: u64, proposal: &[u8]);
}

/// The store of a server, as a node opens it.
struct Journal {
    store: RealStore,
    runtime: Runtime,
    next: u64,
    purged: u64,
}

impl Journal {
    fn open(directory: &Path, name: &str) -> Journal {
        let text = "SERVER a ANY 27001\nSERVER b ANY 27002\nSERVER c ANY 27003\nVENDOR demo\n";
        let license = License::parse(text).expect("a license");
        let config =
            NodeConfig::from_license(&license, Role::Primary, directory.join(name)).expect("a triad");
        let store = RealStore::open(&config, |why| panic!("the store failed: {why}")).expect("a store");
        let mut log = Journal { store, runtime: runtime(), next: 0, purged: 0 };
        log.append(vec![Cargo::Founding]);
        log
    }

    fn append(&mut self, cargo: Vec<Cargo>) {
        let first = self.next;
        self.next += cargo.len() as u64;
        let entries =
            (first..).zip(cargo).map(|(index, cargo)| LogEntry { place: Place { term: 1, index }, cargo });
        let entries = entries.collect();
        let store = &mut self.store;
        let durable = async { store.append(entries).await?.durable().await };
        self.runtime.block_on(durable).expect("the disk takes entries");
    }
}

impl Log for Journal {
    fn commit(&mut self, entries: u64, proposal: &[u8]) {
        self.append((0..entries).map(|_| Cargo::Proposal(proposal.to_vec())).collect());
        if self.next - self.purged >= PURGE_EVERY + KEPT {
            self.purged = self.next - KEPT;
            let upto = Place { term: 1, index: self.purged };
            self.runtime.block_on(self.store.purge(upto)).expect("a purge is queued");
        }
    }
}

/// One of the yardsticks.
struct Yardstick {
    log: LogThread,
    runtime: Runtime,
    next: u64,
}

impl Yardstick {
    fn over(engine: impl Engine) -> Yardstick {
        Yardstick { log: LogThread::start(engine).expect("a thread"), runtime: runtime(), next: 0 }
    }
}

impl Log for Yardstick {
    fn commit(&mut self, entries: u64, proposal: &[u8]) {
        let first = self.next;
        self.next += entries;
        let entries = (first..self.next).map(|index| (1, index, proposal.to_vec())).collect();
        let durable = self.log.append(entries);
        self.runtime.block_on(durable).expect("its thread lives").expect("the disk takes entries");
    }
}

fn open(engine: &str, directory: &Path, name: &str) -> Box<dyn Log> {
    let path = directory.join(name);
    match engine {
        "journal" => Box::new(Journal::open(directory, name)),
        "sled" => Box::new(Yardstick::over(SledLog::create(&path).expect("a database"))),
        _ => Box::new(Yardstick::over(PlainFile::create(&path).expect("a file"))),
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// So many commits of every log, all at the same time: from the first to the last one's end.
fn together(logs: &mut [Box<dyn Log>], commits: u64, entries: u64, proposal: &[u8]) -> Duration {
    let start = Barrier::new(logs.len() + 1);
    std::thread::scope(|scope| {
        for log in logs {
            scope.spawn(|| {
                start.wait();
                for _ in 0..commits {
                    log.commit(entries, black_box(proposal));
                }
            });
        }
        start.wait();
        Instant::now()
    })
    .elapsed()
}

/// What this process has given the kernel to write, in bytes; 0 where the system does not tell.
fn bytes_written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}

fn store_append(criterion: &mut Criterion) {
    let proposal = Proposal::to_bytes(&checkout_proposal(1));
    // The check for a disk that the programs have.
    let args = TriadArgs { profile: Profile::Default, data: None };
    let directory = args.directory().expect("a directory on a disk");
    for (stores, entries) in [(1, 1), (1, 64), (3, 1), (3, 64)] {
        let mut group = criterion.benchmark_group(format!("store append, {stores} at once"));
        group.throughput(Throughput::Elements(stores * entries));
        for engine in ["journal", "sled", "plain file"] {
            // Criterion calls what it measures once for each sample: the logs live through all of them.
            let name = |number: u64| format!("{engine}-{stores}-{entries}-{number}");
            let mut logs: Vec<_> =
                (0..stores).map(|number| open(engine, directory.path(), &name(number))).collect();
            together(&mut logs, ENTRIES_BEFORE / 64, 64, &proposal);
            let (before, mut commits_done) = (bytes_written(), 0);
            group.bench_function(BenchmarkId::new(engine, format!("{entries} per commit")), |bencher| {
                bencher.iter_custom(|commits| {
                    commits_done += commits;
                    together(&mut logs, commits, entries, &proposal)
                });
            });
            let bytes = bytes_written().saturating_sub(before) / (commits_done * stores).max(1);
            talk(format_args!(
                "{bytes} bytes written per commit, {} of them proposals",
                entries * proposal.len() as u64
            ));
        }
        group.finish();
    }
}

criterion_group!(benches, store_append);
criterion_main!(benches);
