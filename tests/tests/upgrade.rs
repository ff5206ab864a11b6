//! Upgrading a triad server by server: the rules change for all three at one entry, or not at all.

use std::time::Duration;

use Role::{Primary, Secondary, Tertiary};
use licensing_core::command::Command;
use licensing_core::edition::Edition;
use licensing_core::id::Role;
use licensing_core::outcome::Outcome;
use licensing_raft::{NodeConfig, UpgradeError};
use licensing_tests::cluster::{Cluster, granted, license};
use licensing_tests::compiled;

const PINNED: &str = "PRIMARY_IS_MASTER";

/// A server of the version before.
fn old(config: &mut NodeConfig) {
    config.known_edition = Edition::FIRST;
}

/// A server of this version that waits for nobody.
fn hasty(config: NodeConfig) -> NodeConfig {
    let mut config = config;
    config.known_edition = Edition::NEWEST;
    config.upgrade_after = Duration::ZERO;
    config
}

async fn old_triad() -> Cluster {
    let cluster = Cluster::new(PINNED).configure(old);
    cluster.start_all().await;
    cluster
}

/// Gives a server this version, and waits until it is what it was before.
async fn upgrade(cluster: &Cluster, role: Role, config: NodeConfig) {
    cluster.stop(role).await;
    cluster.start_with(config).await;
    let own = role.place();
    cluster.wait_until("it is a member", || cluster.node(role).servers()[own].remark.is_none()).await;
    cluster.wait_for_master(Primary).await;
}

fn edition(cluster: &Cluster, role: Role) -> Edition {
    cluster.node(role).upgrade().edition
}

async fn all_apply(cluster: &Cluster, expected: Edition) {
    for role in Role::ALL {
        cluster.wait_until("the edition is everywhere", || edition(cluster, role) == expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_rules_sleep_until_all_three_know_them_and_no_seat_is_lost() {
    let cluster = old_triad().await;
    let mut holder = cluster.open_session(Primary, 1).await;
    let mut held = Vec::new();
    let other = license(PINNED).replace("demo", "zeta");
    let second_vendor = || Command::Install(compiled(&other).into());
    for role in [Tertiary, Secondary, Primary] {
        let mut config = cluster.config(role);
        config.known_edition = Edition::NEWEST;
        upgrade(&cluster, role, config).await;
        held.push(granted(cluster.propose(Primary, holder.checkout("f1")).await));
        let denied = cluster.propose(Primary, second_vendor()).await.unwrap();
        assert!(matches!(denied.outcome, Outcome::Denied(_)), "{denied:?}");
        assert_eq!(edition(&cluster, Primary), Edition::FIRST, "raised with the {role} only");
    }
    let master = cluster.node(Primary);
    cluster.wait_until("all have said what they know", || master.upgrade().next().is_some()).await;
    master.finish_upgrade().await.unwrap();
    all_apply(&cluster, Edition::NEWEST).await;
    let installed = cluster.propose(Primary, second_vendor()).await.unwrap();
    assert!(matches!(installed.outcome, Outcome::Installed { .. }), "{installed:?}");
    for role in Role::ALL {
        cluster.wait_until("its seats are there", || cluster.handles(role) == held).await;
    }
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_know_the_rules_of_its_log_stops() {
    let cluster = old_triad().await;
    for role in [Tertiary, Secondary, Primary] {
        upgrade(&cluster, role, hasty(cluster.config(role))).await;
    }
    all_apply(&cluster, Edition::NEWEST).await;
    cluster.stop(Tertiary).await;
    // Either its own log says so at once, or the first entry it applies.
    let problem = match cluster.try_start(cluster.config(Tertiary)).await {
        Err(problem) => problem.to_string(),
        Ok(()) => {
            let mut failure = cluster.node(Tertiary).failure();
            let failed =
                tokio::time::timeout(licensing_tests::cluster::PATIENCE, failure.wait_for(Option::is_some));
            failed.await.expect("it stops").unwrap().clone().unwrap().to_string()
        }
    };
    assert!(
        problem.contains("edition 3 of the rules, this server knows up to 1: upgrade this server"),
        "{problem}"
    );
    let mut holder = cluster.open_session(Primary, 1).await;
    granted(cluster.propose(Primary, holder.checkout("f1")).await);
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_holds_waits_until_it_is_released() {
    let cluster = old_triad().await;
    cluster.propose(Primary, Command::HoldEdition { on: true }).await.unwrap();
    for role in [Tertiary, Secondary, Primary] {
        upgrade(&cluster, role, hasty(cluster.config(role))).await;
    }
    let master = cluster.node(Primary);
    cluster.wait_until("all have said what they know", || master.upgrade().next().is_some()).await;
    cluster.stop(Tertiary).await;
    cluster.wait_until("the tertiary is missed", || master.upgrade().known_by_all().is_none()).await;
    let missing = master.finish_upgrade().await.unwrap_err();
    assert!(matches!(missing, UpgradeError::Missing { role: Tertiary }), "{missing}");
    assert_eq!(edition(&cluster, Primary), Edition::FIRST);

    cluster.start_with(hasty(cluster.config(Tertiary))).await;
    cluster.propose(Primary, Command::HoldEdition { on: false }).await.unwrap();
    all_apply(&cluster, Edition::NEWEST).await;
    cluster.shut_down().await;
}
