//! Snapshots of many chunks, and one that ends with a chunk.

use std::time::Instant;

use Role::{Primary, Secondary, Tertiary};
use licensing_core::command::{Action, Command};
use licensing_core::id::Role;
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use licensing_raft::testing::wire::reread_snapshot_file;
use licensing_raft::{Node, NodeConfig, Pieces};
use licensing_tests::cluster::{Cluster, Holder};

use crate::support::{ask, crowd, level, long_grace, seat, take, triad};

const FEATURE: &str = "FEATURE crowd demo 1.0 permanent 30000 SIGN=0\n";

/// Snapshots are due often, and soon replace the log: what is small here is not what is looked at.
fn often(config: &mut NodeConfig) {
    long_grace(config);
    (config.snapshot_every, config.log_kept) = (200, 20);
    assert_eq!(config.pieces, Pieces::default(), "the pieces are the real ones");
}

fn chunk() -> usize {
    Pieces::default().chunk_bytes
}

/// Entries that change no size, until these servers have snapshots of now, and no log before them.
async fn until_snapshots_of_now(cluster: &Cluster, roles: &[Role]) {
    let master = cluster.node(Primary);
    // More than are kept behind a snapshot, so that none of the log before this reaches to now.
    for _ in 0..50 {
        ask(&master, Command::Tick).await;
    }
    let now = master.look(State::last_index);
    let has_one = |role| cluster.node(role).metrics().snapshot_index.is_some_and(|index| index >= now);
    while !roles.iter().all(|role| has_one(*role)) {
        for _ in 0..50 {
            ask(&master, Command::Tick).await;
        }
        assert!(master.look(State::last_index).0 < now.0 + 20_000, "no snapshot is taken");
    }
}

async fn wipe(cluster: &Cluster, role: Role) {
    cluster.kill(role).await;
    std::fs::remove_dir_all(cluster.directory(role)).expect("its directory");
}

fn installed(cluster: &Cluster, role: Role) -> u64 {
    cluster.node(role).counts().snapshots_installed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_many_chunks_that_is_interrupted_is_begun_anew() {
    let cluster = triad(FEATURE, often).await;
    let node = cluster.node(Primary);
    let begin = Instant::now();
    crowd(&node, 60, 120, "crowd", 1024).await;
    let bytes = node.state().to_bytes().len();
    eprintln!("7,200 checkouts, a state of {bytes} bytes, in {:?}", begin.elapsed());
    assert!(bytes > 6 * chunk(), "{bytes}");

    // A server loses its disk, and while it is sent a snapshot it is killed too.
    wipe(&cluster, Secondary).await;
    until_snapshots_of_now(&cluster, &[Primary]).await;
    cluster.cut_after(Primary, Secondary, chunk() * 7 / 2);
    cluster.start(Secondary).await;
    cluster
        .wait_until("the snapshot for the wiped one is interrupted", || cluster.is_cut(Primary, Secondary))
        .await;
    assert_eq!(installed(&cluster, Secondary), 0);
    cluster.kill(Secondary).await;
    cluster.heal_all();
    cluster.start(Secondary).await;
    level(&cluster, Primary, Secondary).await;
    assert!(installed(&cluster, Secondary) > 0);
    // What it was sent is what it finds again.
    cluster.kill(Secondary).await;
    cluster.start(Secondary).await;
    level(&cluster, Primary, Secondary).await;

    // A server was away and lags, and in the middle of a snapshot for it the master dies: the heir begins with one of its own.
    cluster.kill(Tertiary).await;
    // The first is taken while the log is still being offered to whoever is away, and purges nothing.
    for _ in 0..2 {
        until_snapshots_of_now(&cluster, &[Primary, Secondary]).await;
    }
    cluster.cut_after(Primary, Tertiary, chunk() * 5 / 2);
    cluster.start(Tertiary).await;
    let is_cut = || cluster.is_cut(Primary, Tertiary);
    cluster.wait_until("the snapshot for the lagging one is interrupted", is_cut).await;
    assert_eq!(installed(&cluster, Tertiary), 0);
    cluster.kill(Primary).await;
    cluster.heal_all();
    cluster.wait_for_master(Secondary).await;
    level(&cluster, Secondary, Tertiary).await;
    assert!(installed(&cluster, Tertiary) > 0);
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_ends_with_a_chunk_has_nothing_behind_it() {
    let cluster = triad(FEATURE, often).await;
    let node = cluster.node(Primary);
    let members = crowd(&node, 60, 30, "crowd", 1024).await;
    fill_to_a_chunk(&node, members).await;
    wipe(&cluster, Tertiary).await;
    until_snapshots_of_now(&cluster, &[Primary]).await;
    cluster.start(Tertiary).await;
    level(&cluster, Primary, Tertiary).await;
    assert!(installed(&cluster, Tertiary) > 0);
    let sent = snapshot_of(&cluster, Tertiary);
    eprintln!("a state of {} chunks", sent / chunk());
    assert_eq!((sent % chunk(), sent / chunk() > 1), (0, true), "{sent} bytes were sent");
    cluster.shut_down().await;
}

/// Makes the state as long as some chunks, to the byte.
async fn fill_to_a_chunk(node: &Node, mut members: Vec<Holder>) {
    let missing = || chunk() - node.state().to_bytes().len() % chunk();
    let mut taker = members.pop().expect("a session");
    take(node, &mut taker, seat("crowd", 1024)).await;
    let before = missing();
    take(node, &mut taker, seat("crowd", 1024)).await;
    let each = (before + chunk() - missing()) % chunk();
    // Room for an answer and the first data of the session that has the rest.
    while missing() < 600 {
        take(node, &mut taker, seat("crowd", 1024)).await;
    }
    for _ in 0..(missing() - 600) / each {
        take(node, &mut taker, seat("crowd", 1024)).await;
    }
    // Lengths are written in one byte up to 250 and in three from there on: in three from the beginning.
    let mut rest = members.pop().expect("a session");
    let mut coarse = members.pop().expect("a session");
    set_data(node, &mut rest, 251).await;
    if missing() > 760 {
        set_data(node, &mut coarse, 700).await;
    }
    set_data(node, &mut rest, 251 + missing()).await;
    assert_eq!(missing(), chunk(), "the state is as long as some chunks");
}

async fn set_data(node: &Node, member: &mut Holder, bytes: usize) {
    let set = Action::SetVendorData { handle: None, data: vec![b's'; bytes] };
    let outcome = ask(node, member.call(set)).await;
    assert!(matches!(outcome, Outcome::VendorDataSet { .. }), "{bytes} bytes: {outcome:?}");
}

/// Bytes of the state in a server's snapshot file.
fn snapshot_of(cluster: &Cluster, role: Role) -> usize {
    let files = std::fs::read_dir(cluster.directory(role)).expect("its directory");
    let mut paths = files.map(|file| file.expect("a file").path());
    let path = paths.find(|path| path.to_string_lossy().contains("/snapshot-")).expect("a snapshot");
    let (state, _) = reread_snapshot_file(&std::fs::read(path).expect("its bytes")).expect("it is whole");
    state.len()
}
