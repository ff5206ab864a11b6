//! Who is master, and what becomes of the seats when that changes: three nodes on sled, over a network that is cut.

use std::time::Duration;

use licensing_core::command::{Action, Command};
use licensing_core::id::{Handle, Role};
use licensing_core::outcome::Outcome;
use licensing_raft::ProposeError;
use licensing_tests::cluster::{Cluster, granted};

use Role::{Primary, Secondary, Tertiary};

const PINNED: &str = "PRIMARY_IS_MASTER";

async fn checkout(cluster: &Cluster, master: Role, number: u8) -> Handle {
    let mut holder = cluster.open_session(master, number).await;
    granted(cluster.propose(master, holder.checkout("f1")).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_primary_is_master_a_returned_primary_gets_the_mastership_back() {
    let cluster = Cluster::started(PINNED).await;
    let mut held = vec![checkout(&cluster, Primary, 1).await];
    for round in 2..5 {
        cluster.kill(Primary).await;
        cluster.wait_for_master(Secondary).await;
        held.push(checkout(&cluster, Secondary, round).await);
        cluster.start(Primary).await;
        cluster.wait_for_master(Primary).await;
        assert_eq!(cluster.handles(Primary), held);
    }
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_primary_is_master_the_secondary_stays_until_it_fails() {
    let cluster = Cluster::started("").await;
    cluster.kill(Primary).await;
    cluster.wait_for_master(Secondary).await;
    let held = checkout(&cluster, Secondary, 1).await;
    cluster.start(Primary).await;
    // The primary is back and level with the secondary, and ten heartbeats later still not master.
    cluster
        .wait_until("the primary is level", || {
            cluster.handles(Primary) == [held] && cluster.node(Secondary).servers()[0].up
        })
        .await;
    for _ in 0..10 {
        assert!(cluster.node(Secondary).mastership().borrow().serving);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.kill(Secondary).await;
    cluster.wait_for_master(Primary).await;
    assert_eq!(cluster.handles(Primary), [held]);
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tertiary_never_serves_even_when_it_is_the_last_with_a_peer() {
    let cluster = Cluster::started(PINNED).await;
    let held = checkout(&cluster, Primary, 1).await;
    // Leadership may pass through the tertiary, service never.
    let mut tertiary = cluster.node(Tertiary).mastership();
    let watching = tokio::spawn(async move {
        loop {
            assert!(!tertiary.borrow_and_update().serving, "the tertiary serves");
            if tertiary.changed().await.is_err() {
                return;
            }
        }
    });
    cluster.kill(Primary).await;
    cluster.wait_for_master(Secondary).await;
    cluster.kill(Secondary).await;
    cluster.wait_for(Tertiary, |now| !now.quorum, "to lose its quorum").await;
    let tick = cluster.propose(Tertiary, Command::Tick).await;
    assert!(matches!(tick, Err(ProposeError::NotMaster { .. })), "{tick:?}");
    cluster.start(Primary).await;
    cluster.wait_for_master(Primary).await;
    assert_eq!(cluster.handles(Primary), [held]);
    assert!(!watching.is_finished(), "the tertiary has served");
    watching.abort();
    cluster.shut_down().await;
}

/// Primary and tertiary go on while the secondary is cut off; then the primary dies. The secondary's log is behind the
/// tertiary's, so it cannot win, and the tertiary may not serve: the tertiary must bring it up to date and hand over.
#[tokio::test(flavor = "multi_thread")]
async fn the_trap_of_the_lagging_secondary_is_survived_again_and_again() {
    let cluster = Cluster::new(PINNED).configure(|config| config.failback_hold = Duration::ZERO);
    cluster.start_all().await;
    let mut held = Vec::new();
    for round in 0..8 {
        let campaigns = cluster.node(Tertiary).counts().caretaker_campaigns;
        cluster.isolate(Secondary);
        let mut holder = cluster.open_session(Primary, round).await;
        held.push(granted(cluster.propose(Primary, holder.checkout("f1")).await));
        cluster.wait_until("the tertiary has it", || cluster.handles(Tertiary) == held).await;
        assert_ne!(cluster.handles(Secondary), held);
        cluster.kill(Primary).await;
        cluster.heal_all();
        cluster.wait_for_master(Secondary).await;
        assert!(cluster.node(Tertiary).counts().caretaker_campaigns > campaigns, "the trap was not sprung");
        assert_eq!(cluster.handles(Secondary), held);
        cluster.start(Primary).await;
        cluster.wait_for_master(Primary).await;
        assert_eq!(cluster.handles(Primary), held);
    }
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_without_a_quorum_stops_granting_within_its_lease() {
    let cluster = Cluster::started(PINNED).await;
    let mut holder = cluster.open_session(Primary, 1).await;
    cluster.isolate(Primary);
    cluster.wait_for(Primary, |now| !now.serving, "to notice that it is alone").await;
    let alone = cluster.propose(Primary, holder.checkout("f1")).await;
    assert!(matches!(alone, Err(ProposeError::NotMaster { .. })), "{alone:?}");
    cluster.wait_for_master(Secondary).await;
    let held = granted(cluster.propose(Secondary, holder.checkout("f1")).await);
    cluster.heal_all();
    cluster.wait_for_master(Primary).await;
    assert_eq!(cluster.handles(Primary), [held]);
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_handover_goes_to_whom_the_operator_names_and_back() {
    let cluster = Cluster::started(PINNED).await;
    let mut operator = cluster.open_session(Primary, 1).await;
    for (from, to) in [(Primary, Secondary), (Secondary, Primary), (Primary, Secondary)] {
        let wish = operator.call(Action::PreferMaster { role: Some(to) });
        let answer = cluster.propose(from, wish).await.expect("an answer");
        assert_eq!(answer.outcome, Outcome::Preferred { role: Some(to) });
        cluster.wait_for_master(to).await;
    }
    let wish = operator.call(Action::PreferMaster { role: None });
    cluster.propose(Secondary, wish).await.expect("an answer");
    cluster.wait_for_master(Primary).await;
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_stopped_hands_over_first() {
    let cluster = Cluster::started(PINNED).await;
    let held = checkout(&cluster, Primary, 1).await;
    cluster.stop(Primary).await;
    // No election was needed: the secondary serves by the time the primary has stopped.
    cluster.wait_for_master(Secondary).await;
    assert_eq!(cluster.handles(Secondary), [held]);
    cluster.start(Primary).await;
    cluster.wait_for_master(Primary).await;
    cluster.shut_down().await;
}

/// openraft never ends a handover whose target is gone: the watchdog must, or the triad is dead with two healthy
/// servers.
#[tokio::test(flavor = "multi_thread")]
async fn a_handover_to_a_server_that_is_cut_off_at_that_moment_is_taken_back() {
    let cluster = Cluster::started(PINNED).await;
    let mut operator = cluster.open_session(Primary, 1).await;
    for round in 0..3 {
        // A young master keeps the mastership for four heartbeats, whatever the operator wishes.
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Nothing the secondary says arrives, but it was heard a moment ago: the primary takes it for a good target.
        cluster.cut_one_way(Secondary, Primary);
        cluster.cut_one_way(Secondary, Tertiary);
        let wish = operator.call(Action::PreferMaster { role: Some(Secondary) });
        cluster.propose(Primary, wish).await.expect("the primary and the tertiary are a quorum");
        let taken_back = || cluster.node(Primary).counts().handovers_taken_back > round;
        cluster.wait_until("the primary takes the mastership back", taken_back).await;
        cluster.wait_for_master(Primary).await;
        let mut holder = cluster.open_session(Primary, 10 + round as u8).await;
        granted(cluster.propose(Primary, holder.checkout("f1")).await);
        cluster.heal_all();
        cluster.wait_for_master(Secondary).await;
        let wish = operator.call(Action::PreferMaster { role: None });
        cluster.propose(Secondary, wish).await.expect("an answer");
        cluster.wait_for_master(Primary).await;
    }
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_primary_that_needs_a_snapshot_gets_one() {
    let cluster = Cluster::new(PINNED).configure(|config| {
        config.snapshot_every = 50;
        config.log_kept = 50;
    });
    cluster.start_all().await;
    let mut holder = cluster.open_session(Primary, 1).await;
    cluster.kill(Primary).await;
    cluster.wait_for_master(Secondary).await;
    for _ in 0..1500 {
        cluster.propose(Secondary, Command::Tick).await.expect("an answer");
    }
    let held = granted(cluster.propose(Secondary, holder.checkout("f1")).await);
    cluster.start(Primary).await;
    cluster.wait_for_master(Primary).await;
    assert_eq!(cluster.handles(Primary), [held]);
    let snapshots = std::fs::read_dir(cluster.directory(Primary)).unwrap();
    let names: Vec<_> = snapshots.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("snapshot-")), "{names:?}");
    cluster.shut_down().await;
}
