//! The license of a running triad: read again, followed by the servers that did not read it.

mod support;

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use licensing_client::protocol::{Reply, Request, StatusFilter};
use licensing_core::edition::Edition;
use licensing_core::id::Role;
use licensing_daemon::{Daemon, DaemonConfig, LicenseFile, RunError, listen};
use support::{FEATURES, Raw, TestTriad, wait_until};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Enough lines that a comparison takes longer than a look at another file.
const LINES: usize = 2_000;

fn features(seats: usize) -> String {
    (0..LINES).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "FEATURE g{number} demo 1.0 permanent {seats} SIGN=0");
        text
    })
}

/// The master follows its own install too, and may have read the new file before it compares it with the old one.
#[tokio::test(flavor = "multi_thread")]
async fn changed_server_lines_are_told_each_time() {
    let triad = TestTriad::start(FEATURES, |_| {}).await;
    let path = triad.directory.path().join("a.lic");
    let servers: Vec<String> =
        std::fs::read_to_string(&path).unwrap().lines().take(3).map(str::to_owned).collect();
    let mut raw = Raw::connect(triad.address(Role::Primary)).await;
    for round in 1..=10 {
        // Not where it is: a place that clients would be sent to after a restart.
        let third = format!("SERVER 127.0.0.1 ANY {}", 30_000 + round);
        let text = format!("{}\n{}\n{third}\nVENDOR demo\n{}", servers[0], servers[1], features(round));
        std::fs::write(&path, text).unwrap();
        let words = wait_until("a reread", async || match raw.ask(Request::Reread).await {
            Reply::Done(words) => Some(words),
            // So many lines may cost a master on a slow machine its lease.
            Reply::NotMaster(_) => None,
            other => panic!("{other:?}"),
        })
        .await;
        assert!(
            words.ends_with("SERVER lines changed: they count when the servers are started again"),
            "{words}"
        );
    }
}

/// A daemon on these files that stays until the sender is dropped, and is master.
async fn single(
    directory: &TempDir,
    files: &[&str],
    known: Edition,
) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<Result<(), RunError>>) {
    let read = |name: &&str| LicenseFile::read(&directory.path().join(name)).unwrap();
    let mut licenses: Vec<LicenseFile> = files.iter().map(read).collect();
    let data = directory.path().join("data");
    let mut config = DaemonConfig::from_license(licenses.remove(0), Role::Primary, data).unwrap();
    config.licenses.extend(licenses);
    config.node.known_edition = known;
    config.node.upgrade_after = Duration::from_secs(1);
    let daemon = Daemon::start(config, listen("127.0.0.1:0".parse().unwrap()).unwrap()).await.unwrap();
    let (ready, is_ready) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move { drop(stopped.await) };
    let running = tokio::spawn(daemon.run(move |address| ready.send(address).unwrap(), shutdown));
    (is_ready.await.unwrap(), stop, running)
}

async fn vendors(address: SocketAddr) -> Vec<String> {
    let ask = Request::Status { filter: StatusFilter::default(), after: None };
    match Raw::connect(address).await.ask(ask).await {
        Reply::Status(page) => {
            page.vendors.into_iter().filter_map(|vendor| vendor.installed_at.map(|_| vendor.name)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Nobody has to ask again for what only had to wait for its edition.
#[tokio::test(flavor = "multi_thread")]
async fn a_license_that_came_too_early_is_served_once_its_edition_applies() {
    let directory = tempfile::tempdir().unwrap();
    for vendor in ["demo", "zeta"] {
        let text =
            format!("SERVER this_host ANY\nVENDOR {vendor}\nFEATURE f1 {vendor} 1.0 permanent 1 SIGN=0\n");
        std::fs::write(directory.path().join(vendor), text).unwrap();
    }
    let (address, stop, running) = single(&directory, &["demo"], Edition::FIRST).await;
    wait_until("the first", async || (vendors(address).await == ["demo"]).then_some(())).await;
    drop(stop);
    running.await.unwrap().unwrap();

    let (address, stop, running) = single(&directory, &["demo", "zeta"], Edition::NEWEST).await;
    wait_until("both", async || (vendors(address).await == ["demo", "zeta"]).then_some(())).await;
    drop(stop);
    running.await.unwrap().unwrap();
}

/// A file cannot become another vendor's: what it had installed would be served on, and nobody would know from where.
#[tokio::test]
async fn a_file_that_became_another_vendors_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let write = |vendor: &str, features: &str| {
        let text = format!("SERVER this_host ANY\nVENDOR {vendor}\n{features}");
        std::fs::write(directory.path().join("a.lic"), text).unwrap();
    };
    write("acme", "FEATURE cad acme 1.0 permanent 4 SIGN=0\n");
    let (address, _stop, _running) = single(&directory, &["a.lic"], Edition::NEWEST).await;
    wait_until("acme", async || (vendors(address).await == ["acme"]).then_some(())).await;
    let mut raw = Raw::connect(address).await;
    write("zeta", "FEATURE cad zeta 1.0 permanent 4 SIGN=0\n");
    let refused = support::refusal(raw.ask(Request::Reread).await);
    assert!(refused.contains("a.lic is for vendor `zeta` now, it was for `acme`"), "{refused}");
    assert_eq!(vendors(address).await, ["acme"]);
    std::fs::write(directory.path().join("a.lic"), "").unwrap();
    let refused = support::refusal(raw.ask(Request::Reread).await);
    assert!(refused.contains("a.lic has no SERVER line"), "{refused}");
}

/// Started without the file of a vendor that it serves: that is told in every status, until somebody does something.
#[tokio::test]
async fn a_vendor_that_is_served_without_a_file_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let write = |vendor: &str, features: &str| {
        let text = format!("SERVER this_host ANY\nVENDOR {vendor}\n{features}");
        std::fs::write(directory.path().join(format!("{vendor}.lic")), text).unwrap();
    };
    let told = async |address: SocketAddr| {
        let status = Request::Status { filter: StatusFilter::default(), after: None };
        let Reply::Status(page) = Raw::connect(address).await.ask(status).await else { panic!("a status") };
        page.warnings.iter().any(|words| words.contains("no license file for vendor `zeta`"))
    };
    write("acme", "FEATURE cad acme 1.0 permanent 4 SIGN=0\n");
    write("zeta", "FEATURE cad zeta 1.0 permanent 4 SIGN=0\n");
    let both = ["acme.lic", "zeta.lic"];
    let (address, stop, running) = single(&directory, &both, Edition::NEWEST).await;
    wait_until("both", async || (vendors(address).await == ["acme", "zeta"]).then_some(())).await;
    assert!(!told(address).await);
    drop(stop);
    running.await.unwrap().unwrap();
    let (address, stop, running) = single(&directory, &both[..1], Edition::NEWEST).await;
    wait_until("both", async || (vendors(address).await == ["acme", "zeta"]).then_some(())).await;
    assert!(told(address).await);
    drop(stop);
    running.await.unwrap().unwrap();
    // A file of it without features ends it, and from then on none is needed.
    write("zeta", "");
    let (address, stop, running) = single(&directory, &both, Edition::NEWEST).await;
    wait_until("a master", async || (vendors(address).await == ["acme", "zeta"]).then_some(())).await;
    let ended = Raw::connect(address).await.ask(Request::Reread).await;
    assert!(matches!(&ended, Reply::Done(words) if words.contains("gone")), "{ended:?}");
    drop(stop);
    running.await.unwrap().unwrap();
    let (address, _stop, _running) = single(&directory, &both[..1], Edition::NEWEST).await;
    // The log is read again meanwhile.
    wait_until("silence", async || (!told(address).await).then_some(())).await;
}

/// All files are read before anything is served: an administrator who is told an error may rely on it.
#[tokio::test]
async fn a_reread_of_several_files_changes_nothing_when_one_of_them_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let write = |vendor: &str, seats: &str| {
        let text = format!(
            "SERVER this_host ANY\nVENDOR {vendor}\nFEATURE cad {vendor} 1.0 permanent {seats} SIGN=0\n"
        );
        std::fs::write(directory.path().join(format!("{vendor}.lic")), text).unwrap();
    };
    write("acme", "4");
    write("zeta", "4");
    let (address, _stop, _running) = single(&directory, &["acme.lic", "zeta.lic"], Edition::NEWEST).await;
    wait_until("both", async || (vendors(address).await == ["acme", "zeta"]).then_some(())).await;
    write("acme", "9");
    write("zeta", "many");
    let mut raw = Raw::connect(address).await;
    let refused = support::refusal(raw.ask(Request::Reread).await);
    assert!(
        refused.contains("zeta.lic:3:") && refused.contains("`many` is not a number of seats"),
        "{refused}"
    );
    let status = Request::Status { filter: StatusFilter::default(), after: None };
    let Reply::Status(page) = raw.ask(status).await else { panic!("there is a status") };
    let issued: Vec<_> = page.features.iter().map(|pool| pool.issued.map(|seats| seats.0)).collect();
    assert_eq!(issued, [Some(4), Some(4)]);
}
