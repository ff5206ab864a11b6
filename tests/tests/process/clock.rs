//! Wall clocks that are an hour wrong, and jump while the servers run: the triad keeps the time of the other two, no
//! session ends early, no seat is lost, and the status says whose clock it is.
//!
//! The clocks are faked with libfaketime; where it is missing the test says how to get it, and passes. Monotonic clocks
//! are left alone: no wrong setting of a host moves them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use licensing_client::{Client, ClientConfig};
use licensing_core::id::{Role, Timestamp};
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use licensing_tests::process::{
    handles, master_status, rounds, start_patient, status, wait_until, wait_until_master, wait_until_whole,
};
use licensing_tests::workload::{Plan, Workload};

use Role::{Primary, Secondary, Tertiary};

const HOUR_S: i64 = 3600;

/// Where distributions put the library; the second form is for programs with threads.
fn library() -> Option<PathBuf> {
    let architecture = format!("/usr/lib/{}-linux-gnu/faketime", std::env::consts::ARCH);
    let directories = [&*architecture, "/usr/lib64/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime"];
    let found = directories.iter().map(|directory| Path::new(directory).join("libfaketimeMT.so.1"));
    found.into_iter().find(|path| path.exists())
}

/// The wall clocks of the three servers.
struct Clocks {
    directory: tempfile::TempDir,
}

impl Clocks {
    fn new() -> Clocks {
        let clocks = Clocks { directory: tempfile::tempdir().unwrap() };
        for role in Role::ALL {
            clocks.set(role, 0);
        }
        clocks
    }

    fn path(&self, role: Role) -> PathBuf {
        self.directory.path().join(role.name())
    }

    /// Sets a clock so many seconds fast; it jumps while its server runs.
    fn set(&self, role: Role, offset_s: i64) {
        // In one step: the library reads the file whenever the server looks at its clock.
        let new = self.path(role).with_extension("new");
        fs::write(&new, format!("{offset_s:+}\n")).unwrap();
        fs::rename(new, self.path(role)).unwrap();
    }

    fn options(&self, library: &Path) -> TriadOptions {
        let mut options = TriadOptions::default();
        for role in Role::ALL {
            options.own[role.place()].environment = [
                ("LD_PRELOAD", library.display().to_string()),
                ("FAKETIME_TIMESTAMP_FILE", self.path(role).display().to_string()),
                ("FAKETIME_NO_CACHE", "1".to_owned()),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec();
        }
        options
    }
}

/// Asserts that the time the triad decides by is the true one, give or take what a busy machine needs to tell it.
fn assert_true_time(at: Timestamp, when: &str) {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let off_s = at.0 as i64 / 1000 - now_s;
    assert!(off_s.abs() < HOUR_S / 4, "{when} the triad's time is {off_s} s off");
}

/// Waits until every server says of this one, and only of it, that its clock is wrong by about so much.
async fn status_names(triad: &LocalTriad, wrong: Role, offset_s: i64) {
    wait_until(format!("all say that the clock of the {wrong} is {offset_s} s off"), async || {
        for asked in Role::ALL {
            for server in status(&triad.address(asked)).await?.servers {
                let remark = server.remark.unwrap_or_default();
                let told = remark
                    .strip_prefix("its clock is ")
                    .and_then(|rest| rest.split_once(" s off the median"));
                let told = told.and_then(|(seconds, _)| seconds.parse::<i64>().ok());
                match (server.role == wrong, told) {
                    (true, Some(told)) if (told - offset_s).abs() < HOUR_S / 4 => {}
                    (false, None) => {}
                    _ => return None,
                }
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_an_hour_wrong_ends_no_session_and_moves_no_time() {
    let Some(library) = library() else {
        eprintln!("SKIPPED: libfaketime is not installed (Debian, Ubuntu: apt install libfaketime)");
        return;
    };
    let clocks = Clocks::new();
    let triad = start_patient(clocks.options(&library)).await;
    wait_until_whole(&triad).await;
    // Somebody who only holds: nothing but his heartbeats keeps the session from its end.
    let idle = Client::connect(ClientConfig::new(triad.search_path())).await.unwrap();
    let test = "a_clock_that_is_an_hour_wrong_ends_no_session_and_moves_no_time";
    let work = Workload::start(&triad, Plan::new(test)).await;
    for _ in 0..rounds(1) {
        for role in [Tertiary, Secondary, Primary] {
            // There, through two hours to the other side, and back.
            for offset_s in [HOUR_S, -HOUR_S] {
                clocks.set(role, offset_s);
                work.answers(3).await;
                status_names(&triad, role, offset_s).await;
                work.answers(3).await;
                let when = format!("with the {role} {offset_s} s off");
                assert_true_time(master_status(&triad).await.at, &when);
            }
            clocks.set(role, 0);
            wait_until_whole(&triad).await;
        }
    }
    wait_until_master(&triad, Primary).await;
    // His session lives, or this would be refused.
    idle.close().await.unwrap();
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, [], "a wrong clock is no error for a client");
    assert!(report.verdict.granted > 30, "too little was done: {report:?}");
}

/// The master's clock is wrong already when it becomes master, and nobody has told it so.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_starts_with_a_wrong_clock_expires_nobody() {
    let Some(library) = library() else {
        eprintln!("SKIPPED: libfaketime is not installed (Debian, Ubuntu: apt install libfaketime)");
        return;
    };
    let clocks = Clocks::new();
    let mut options = clocks.options(&library);
    options.arguments = ["--failback-hold", "0s"].map(str::to_owned).to_vec();
    let mut triad = start_patient(options).await;
    let idle = Client::connect(ClientConfig::new(triad.search_path())).await.unwrap();
    let held = idle.checkout("f1").await.unwrap();
    for _ in 0..rounds(1) {
        for offset_s in [HOUR_S, -HOUR_S] {
            triad.stop(Primary).await.unwrap();
            clocks.set(Primary, offset_s);
            triad.restart(Primary).await.unwrap();
            wait_until_master(&triad, Primary).await;
            status_names(&triad, Primary, offset_s).await;
            let page = master_status(&triad).await;
            assert_eq!(handles(&page), [held.handle()]);
            assert_true_time(page.at, "under a master that is wrong");
            clocks.set(Primary, 0);
        }
    }
    held.checkin().await.unwrap();
    idle.close().await.unwrap();
}
