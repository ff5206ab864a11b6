//! Disks of real servers that are full, or lost: that server stops or starts anew, the other two go on, and when it is
//! back it has everything, and nothing else.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use licensing_core::id::Role;
use licensing_server::local_triad::{LocalTriad, TriadError, TriadOptions};
use licensing_tests::process::{restart, rounds, start, wait_until_master, wait_until_whole, with_arguments};
use licensing_tests::workload::{Plan, Workload};

use Role::{Primary, Secondary, Tertiary};

/// A server that loses its disk as often as here would have to stay up for longer and longer before it is trusted again.
fn forgiving() -> TriadOptions {
    with_arguments(&["--failback-hold", "0s"])
}

/// Waits until somebody else than this server is master.
async fn wait_until_replaced(triad: &LocalTriad, gone: Role) {
    wait_until_master(triad, if gone == Primary { Secondary } else { Primary }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_lost_its_disk_gets_everything_back() {
    let mut triad = start(forgiving()).await;
    let plan = Plan::new("a_server_that_has_lost_its_disk_gets_everything_back");
    let mut choices = plan.choices();
    let work = Workload::start(&triad, plan).await;
    for _ in 0..rounds(2) {
        for role in [Primary, Tertiary, Secondary] {
            work.answers(1 + choices.below(10)).await;
            triad.kill(role);
            fs::remove_dir_all(triad.data_directory(role)).unwrap();
            wait_until_replaced(&triad, role).await;
            work.answers(1 + choices.below(10)).await;
            restart(&mut triad, role).await;
            // Before the next one loses its disk: what is acknowledged is on two.
            wait_until_whole(&triad).await;
            wait_until_master(&triad, Primary).await;
        }
    }
    work.answers(3).await;
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, [], "a lost disk is a slower answer");
    assert!(report.verdict.granted > 50 && report.verdict.denied > 5, "too little was done: {report:?}");
}

/// Set in the process that has a file system namespace of its own.
const INSIDE_VARIABLE: &str = "LICENSING_INSIDE_NAMESPACE";

/// Room for the store of a triad that works for seconds, and little enough to be filled at once.
const DISK_SIZE: &str = "24m";

/// Mounts need root. They are made in a file system namespace that lives as long as the processes in it, so that none is
/// left behind, however this ends.
#[test]
fn a_server_whose_disk_is_full_stops_and_returns_when_there_is_room() {
    let test = "a_server_whose_disk_is_full_stops_and_returns_when_there_is_room";
    if std::env::var_os(INSIDE_VARIABLE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(fill_each_disk(test));
    }
    let may_mount = Command::new("unshare")
        .args(["--mount", "--", "mount", "-t", "tmpfs", "tmpfs", "/tmp"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !may_mount {
        eprintln!(
            "SKIPPED: this test mounts small disks: run it as root, on a system with unshare and mount"
        );
        return;
    }
    let inside = Command::new("unshare")
        .args(["--mount", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE_VARIABLE, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    // What it says belongs to the output of this test.
    eprintln!("{}", String::from_utf8_lossy(&inside.stderr));
    assert!(inside.status.success(), "{}", String::from_utf8_lossy(&inside.stdout));
}

async fn fill_each_disk(test: &'static str) {
    let disks = Role::ALL.map(|_| Disk::mount());
    let mut options = forgiving();
    for role in Role::ALL {
        options.own[role.place()].data_directory = Some(disks[role.place()].data());
    }
    let mut triad = start(options).await;
    let work = Workload::start(&triad, Plan::new(test)).await;
    for _ in 0..rounds(1) {
        for role in [Tertiary, Secondary, Primary] {
            work.answers(3).await;
            let disk = &disks[role.place()];
            disk.fill();
            let ended = triad.wait_for_exit(role).await.unwrap();
            assert_eq!(ended.code(), Some(1), "a server that cannot write stops with an error");
            let log = triad.log(role);
            let last = log.lines().rfind(|line| line.contains("EXITING")).unwrap_or_default();
            assert!(last.contains("No space left on device"), "it says why: {log}");
            wait_until_replaced(&triad, role).await;
            work.answers(5).await;
            does_not_lie_about_a_full_disk(&mut triad, role).await;
            disk.empty();
            restart(&mut triad, role).await;
            wait_until_whole(&triad).await;
            wait_until_master(&triad, Primary).await;
        }
    }
    work.answers(3).await;
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, [], "a full disk is a slower answer");
    assert!(report.verdict.granted > 30 && report.verdict.denied > 5, "too little was done: {report:?}");
    drop(triad);
}

/// Started on a full disk it does not start, or stops as soon as it has to write.
async fn does_not_lie_about_a_full_disk(triad: &mut LocalTriad, role: Role) {
    match triad.restart(role).await {
        Ok(()) => {
            let ended = triad.wait_for_exit(role).await.unwrap();
            assert_eq!(ended.code(), Some(1), "{}", triad.log(role));
        }
        Err(TriadError::NotStarted { log, .. }) => {
            assert!(log.contains("No space left on device"), "it says why: {log}");
        }
        Err(other) => panic!("{other}"),
    }
}

/// A small file system in memory.
struct Disk {
    place: tempfile::TempDir,
}

impl Disk {
    fn mount() -> Disk {
        let place = tempfile::tempdir().unwrap();
        let size = format!("size={DISK_SIZE}");
        run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs"], place.path());
        Disk { place }
    }

    fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    fn filler(&self) -> PathBuf {
        self.place.path().join("filler")
    }

    /// Leaves not a byte.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        let block = vec![1; 64 << 10];
        let full = loop {
            if let Err(error) = filler.write_all(&block) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }

    fn empty(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server may not be reaped yet when a test has failed.
        run("umount", &["--lazy"], self.place.path());
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str], place: &Path) {
    let status = Command::new(program).args(arguments).arg(place).status().unwrap();
    assert!(status.success(), "{program} {arguments:?} ended with {status}");
}
