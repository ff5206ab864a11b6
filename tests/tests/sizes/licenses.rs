//! The largest license there may be, in a triad: its parts, its pools, the snapshot that has it.

use std::time::Instant;

use Role::{Primary, Secondary, Tertiary};
use licensing_client::protocol::{Reply, Request, StatusFilter};
use licensing_core::command::MAX_PART_BYTES;
use licensing_core::encode::compiled;
use licensing_core::id::Role;
use licensing_core::installing::staging::MAX_STAGED_BYTES;
use licensing_core::license::Compiled;
use licensing_core::outcome::{Denial, Outcome};
use licensing_core::state::State;
use licensing_daemon::Limits;
use licensing_raft::{NodeConfig, Pieces};

use crate::support::{Served, level, license_with, long_grace, memory, triad};

/// Most bytes and most lines of a license file, most pools of all vendors, as `licensing_formats` and `licensing_core` have them.
const FILE: usize = 16 << 20;
const LINES: usize = 200_000;
const POOLS: usize = 100_000;

const FEATURE: &str = "FEATURE crowd demo 1.0 permanent 10 SIGN=0\n";

/// Short, so that a server that is wiped needs a snapshot soon.
fn often(config: &mut NodeConfig) {
    long_grace(config);
    (config.snapshot_every, config.log_kept) = (50, 5);
}

/// So many pools of two lines each, and a comment that makes the file so long.
fn text(pools: usize, bytes: usize) -> String {
    let mut features = String::new();
    for number in 0..pools {
        let line = format!("INCREMENT f{number:05} demo 1.0 permanent 3 SIGN=0\n");
        features.push_str(&line);
        features.push_str(&line);
    }
    let mut text = license_with(&features);
    // A line has a limit of its own.
    while text.len() < bytes {
        let missing = bytes - text.len();
        let length = if missing > 60_001 { 60_000 } else { missing };
        text.push('#');
        text.extend(std::iter::repeat_n('x', length - 2));
        text.push('\n');
    }
    text
}

fn read(text: &str) -> Compiled {
    Compiled::from_text("test.lic", text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_license_is_served_by_three_and_reaches_a_server_that_lost_its_disk() {
    let cluster = triad(FEATURE, often).await;
    let node = cluster.node(Primary);
    let begin = Instant::now();
    let text = text(POOLS, FILE);
    assert_eq!(text.len(), FILE);
    let largest = read(&text);
    assert_eq!(largest.license().features.len(), LINES);
    let bytes = compiled::to_bytes(&largest).len();
    eprintln!("read in {:?}, {bytes} bytes with all it says", begin.elapsed());
    assert!(bytes <= MAX_STAGED_BYTES, "the largest file does not fit what a license may take");
    let begin = Instant::now();
    let installed = node.install(largest).await.expect("an answer");
    assert_eq!(installed.outcome, Outcome::Installed { pools: POOLS as u32 });
    eprintln!("installed in {:?}, {}", begin.elapsed(), memory());

    // Not one pool more, of another vendor's either.
    let one_more = format!(
        "SERVER memory ANY 2001\nSERVER memory ANY 2002\nSERVER memory ANY 2003\nVENDOR other\n{}",
        FEATURE.replace("demo", "other")
    );
    let refused = node.install(read(&one_more)).await.expect("an answer").outcome;
    let Outcome::Denied(Denial::BadLicense { problems }) = &refused else { panic!("{refused:?}") };
    assert!(problems.contains("100001") && problems.contains("100000"), "{problems}");

    every_pool_once(&Served::of(node.clone(), &license_with(FEATURE))).await;

    level(&cluster, Primary, Secondary).await;
    cluster.kill(Tertiary).await;
    std::fs::remove_dir_all(cluster.directory(Tertiary)).expect("its directory");
    let begin = Instant::now();
    cluster.start(Tertiary).await;
    level(&cluster, Primary, Tertiary).await;
    eprintln!("a wiped server has it in {:?}", begin.elapsed());
    assert!(cluster.node(Tertiary).counts().snapshots_installed > 0);
    cluster.shut_down().await;
}

/// All pools are told, in rows that fill the pages.
async fn every_pool_once(server: &Served) {
    let mut direct = server.direct().await;
    let filter = StatusFilter { feature: None, without_checkouts: true };
    let request = Request::Status { filter: filter.clone(), after: None };
    let Reply::Status(first) = direct.request(request).await.expect("an answer") else { panic!("no page") };
    assert_eq!(first.features.len(), Limits::default().page_rows);
    let whole = direct.status_all(filter).await.expect("the whole");
    let names: Vec<_> = whole.features.iter().map(|pool| pool.name.clone()).collect();
    let expected: Vec<_> = (0..POOLS).map(|number| format!("f{number:05}")).collect();
    assert!(names == expected, "{} pools are told of {POOLS}", names.len());
}

/// What fits one entry goes whole; a byte more goes in two parts, the second of one byte; twice a part in two full ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_license_about_as_long_as_a_part_is_served_on_either_side_of_it() {
    let cluster = triad(FEATURE, long_grace).await;
    let node = cluster.node(Primary);
    assert_eq!(Pieces::default().part_bytes, MAX_PART_BYTES);
    let around = compiled::to_bytes(&read(&text(1, 100_000))).len() - 100_000;
    for (bytes, entries) in [
        (MAX_PART_BYTES - 1, 1),
        (MAX_PART_BYTES, 1),
        (MAX_PART_BYTES + 1, 3),
        (2 * MAX_PART_BYTES - 1, 3),
        (2 * MAX_PART_BYTES, 3),
        (2 * MAX_PART_BYTES + 1, 4),
    ] {
        let license = read(&text(1, bytes - around));
        assert_eq!(compiled::to_bytes(&license).len(), bytes);
        let before = node.look(State::last_index).0;
        let installed = node.install(license.clone()).await.expect("an answer");
        assert_eq!(installed.outcome, Outcome::Installed { pools: 1 }, "{bytes} bytes");
        assert_eq!(installed.index.0 - before, entries, "entries for {bytes} bytes");
        let served = node.look(|state| state.license("demo").map(|served| served.text().len()));
        assert_eq!(served, Some(license.text().len()));
    }
    for other in [Secondary, Tertiary] {
        level(&cluster, Primary, other).await;
    }
    cluster.shut_down().await;
}
