//! Who belongs to the triad: the first start, lost disks, strangers.

use std::time::Duration;

use licensing_core::id::Role;
use licensing_core::license::License;
use licensing_raft::NodeConfig;
use licensing_tests::cluster::{Cluster, granted, license};
use licensing_tests::compiled;

use Role::{Primary, Secondary, Tertiary};

const PINNED: &str = "PRIMARY_IS_MASTER";

#[tokio::test(flavor = "multi_thread")]
async fn a_triad_is_founded_only_when_all_three_are_there() {
    let cluster = Cluster::new(PINNED);
    cluster.start(Primary).await;
    cluster.start(Secondary).await;
    cluster.wait_until("the two have met", || cluster.node(Primary).servers()[1].up).await;
    for _ in 0..20 {
        assert!(!cluster.node(Primary).mastership().borrow().serving, "founded by two");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let remark = cluster.node(Primary).servers()[0].remark.clone();
    assert_eq!(remark.as_deref(), Some("waiting for all three servers to start"));
    cluster.start(Tertiary).await;
    cluster.wait_for_master(Primary).await;
    // From now on any two are enough.
    for role in Role::ALL {
        cluster.kill(role).await;
    }
    cluster.start(Secondary).await;
    cluster.start(Tertiary).await;
    cluster.wait_for_master(Secondary).await;
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_found_a_triad_when_they_are_forced_to() {
    let cluster = Cluster::new(PINNED).configure(|config| config.force_bootstrap = config.role == Primary);
    cluster.start(Primary).await;
    cluster.start(Tertiary).await;
    cluster.wait_for_master(Primary).await;
    let held = {
        let text = license(PINNED);
        let install = licensing_core::command::Command::Install(compiled(&text).into());
        cluster.propose(Primary, install).await.expect("installed");
        let mut holder = cluster.open_session(Primary, 1).await;
        granted(cluster.propose(Primary, holder.checkout("f1")).await)
    };
    // The third comes later and is brought up to date.
    cluster.start(Secondary).await;
    cluster.wait_until("the secondary has caught up", || cluster.handles(Secondary) == [held]).await;
    cluster
        .wait_until("the secondary is a member", || cluster.node(Secondary).servers()[1].remark.is_none())
        .await;
    cluster.kill(Primary).await;
    cluster.wait_for_master(Secondary).await;
    cluster.shut_down().await;
}

/// A server that lost its disk must not vote on a memory it no longer has, and must come back by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_lost_disk_catches_up_and_becomes_a_full_member_again() {
    let cluster = Cluster::started(PINNED).await;
    let mut holder = cluster.open_session(Primary, 1).await;
    let mut held = Vec::new();
    for lost in [Tertiary, Secondary, Primary] {
        let master = if cluster.node(Primary).mastership().borrow().serving { Primary } else { Secondary };
        held.push(granted(cluster.propose(master, holder.checkout("f1")).await));
        cluster.kill(lost).await;
        std::fs::remove_dir_all(cluster.directory(lost)).unwrap();
        cluster.start(lost).await;
        let own = lost.place();
        cluster.wait_until("it has caught up", || cluster.handles(lost) == held).await;
        cluster.wait_until("it is a member", || cluster.node(lost).servers()[own].remark.is_none()).await;
        cluster.wait_for_master(Primary).await;
    }
    // Each of them counts again: any other one may go.
    for gone in [Tertiary, Secondary] {
        cluster.kill(gone).await;
        cluster.wait_for_master(Primary).await;
        let handle = granted(cluster.propose(Primary, holder.checkout("f1")).await);
        held.push(handle);
        cluster.start(gone).await;
        cluster.wait_until("it has caught up", || cluster.handles(gone) == held).await;
    }
    cluster.shut_down().await;
}

/// "Catching up" would be a promise that nobody can keep.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_with_lost_disks_say_that_they_cannot_catch_up() {
    let cluster = Cluster::started(PINNED).await;
    for lost in [Primary, Secondary] {
        cluster.kill(lost).await;
        std::fs::remove_dir_all(cluster.directory(lost)).unwrap();
    }
    for lost in [Primary, Secondary] {
        cluster.start(lost).await;
    }
    let says = |of: Role, role: Role| {
        let remark = cluster.node(of).servers()[role.place()].remark.clone().unwrap_or_default();
        remark.contains("two logs are lost")
    };
    for of in Role::ALL {
        cluster.wait_until("it says so of both", || says(of, Primary) && says(of, Secondary)).await;
    }
    cluster.shut_down().await;
}

/// A directory that was only promised to another triad stands where one was that had acknowledged entries: it is as good as
/// an empty one, and must neither vote nor upset the leader before it has caught up.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_was_promised_to_another_triad_joins_as_an_empty_one_does() {
    let cluster = Cluster::started(PINNED).await;
    let mut holder = cluster.open_session(Primary, 1).await;
    let held = granted(cluster.propose(Primary, holder.checkout("f1")).await);
    cluster.wait_until("the tertiary has it", || cluster.handles(Tertiary) == [held]).await;
    cluster.kill(Tertiary).await;
    let directory = cluster.directory(Tertiary);
    let standing = std::fs::read_to_string(directory.join("triad")).unwrap();
    let other = standing.lines().map(|line| match line.strip_prefix("triad_id=") {
        Some(id) => format!("triad_id={}\n", id.chars().rev().collect::<String>()),
        None => format!("{line}\n"),
    });
    let other: String = other.collect();
    assert!(other.contains("standing=member") && other != standing, "{other}");
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("triad"), other).unwrap();
    cluster.start(Tertiary).await;
    cluster.wait_until("it has caught up", || cluster.handles(Tertiary) == [held]).await;
    cluster.wait_until("it is a member", || cluster.node(Tertiary).servers()[2].remark.is_none()).await;
    assert!(cluster.node(Primary).serves(), "the leader was upset");
    cluster.kill(Secondary).await;
    let second = granted(cluster.propose(Primary, holder.checkout("f1")).await);
    cluster.wait_until("it carries the triad", || cluster.handles(Tertiary) == [held, second]).await;
    cluster.shut_down().await;
}

/// Primary and tertiary acknowledged a checkout that the secondary has missed; then the tertiary loses its disk. Its
/// empty memory must not help the secondary to the mastership: the checkout would be lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_server_does_not_vote_for_one_that_has_missed_a_checkout() {
    let cluster = Cluster::started(PINNED).await;
    let mut holder = cluster.open_session(Primary, 1).await;
    cluster.isolate(Secondary);
    let held = granted(cluster.propose(Primary, holder.checkout("f1")).await);
    cluster.kill(Primary).await;
    cluster.kill(Tertiary).await;
    std::fs::remove_dir_all(cluster.directory(Tertiary)).unwrap();
    cluster.heal_all();
    cluster.start(Tertiary).await;
    cluster.wait_until("the two have met", || cluster.node(Secondary).servers()[2].remark.is_some()).await;
    // The secondary campaigns three times a second meanwhile.
    for _ in 0..60 {
        assert!(
            !cluster.node(Secondary).mastership().borrow().serving,
            "the secondary serves without the checkout"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    cluster.start(Primary).await;
    cluster.wait_for_master(Primary).await;
    assert_eq!(cluster.handles(Primary), [held]);
    cluster.wait_until("the tertiary has caught up", || cluster.handles(Tertiary) == [held]).await;
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_whose_license_files_differ_say_so_by_name() {
    let cluster = Cluster::new(PINNED);
    cluster.start(Primary).await;
    let other = license(PINNED).replace("memory ANY 2002", "memory 0019d244e9fc 2002");
    let config =
        NodeConfig::from_license(&License::parse(&other).unwrap(), Secondary, cluster.directory(Secondary));
    cluster.start_with(config.unwrap()).await;
    let said = |text: &str| {
        let servers = cluster.node(Primary).servers();
        servers[1].remark.as_deref().is_some_and(|remark| remark.contains(text))
    };
    cluster.wait_until("the primary names the difference", || said("the SERVER lines differ")).await;
    assert!(said("primary") && said("secondary"));
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_another_triad_is_refused() {
    let (one, other) = (Cluster::started(PINNED).await, Cluster::started(PINNED).await);
    one.kill(Secondary).await;
    other.kill(Secondary).await;
    let text = license(PINNED);
    let stray =
        NodeConfig::from_license(&License::parse(&text).unwrap(), Secondary, other.directory(Secondary));
    one.start_with(stray.unwrap()).await;
    let said = || {
        let servers = one.node(Primary).servers();
        servers[1].remark.as_deref().is_some_and(|remark| remark.contains("belong to different triads"))
    };
    one.wait_until("the primary refuses the stray secondary", said).await;
    one.wait_for_master(Primary).await;
    one.shut_down().await;
    other.shut_down().await;
}
