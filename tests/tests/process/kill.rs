//! Real servers killed with SIGKILL while clients check out and in: whatever was acknowledged is there afterwards,
//! nothing else is, and no server ever shows more seats in use than licensed.

use std::time::{Duration, Instant};

use licensing_core::id::Role;
use licensing_server::local_triad::TriadOptions;
use licensing_tests::process::{
    kill_all, restart, rounds, start, start_patient, wait_until_master, with_arguments,
};
use licensing_tests::workload::{Plan, Workload};

use Role::{Primary, Secondary, Tertiary};

/// A server that is killed as often as here would have to stay up for longer and longer before it is trusted again.
fn forgiving() -> TriadOptions {
    with_arguments(&["--failback-hold", "0s"])
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_of_the_primary_lose_no_seat_and_double_none() {
    let mut triad = start(forgiving()).await;
    let plan = Plan::new("twenty_kills_of_the_primary_lose_no_seat_and_double_none");
    let mut choices = plan.choices();
    let work = Workload::start(&triad, plan).await;
    for _ in 0..rounds(20) {
        work.answers(1 + choices.below(20)).await;
        triad.kill(Primary);
        wait_until_master(&triad, Secondary).await;
        work.answers(1 + choices.below(20)).await;
        restart(&mut triad, Primary).await;
        wait_until_master(&triad, Primary).await;
    }
    work.answers(5).await;
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, [], "a killed master is a slower answer");
    assert!(report.verdict.granted > 200 && report.verdict.denied > 50, "too little was done: {report:?}");
}

/// The servers may come back in any order, and before the last one does, two of them serve.
#[tokio::test(flavor = "multi_thread")]
async fn clients_keep_their_seats_when_all_three_servers_are_killed_at_once() {
    let mut triad = start(forgiving()).await;
    let plan = Plan::new("clients_keep_their_seats_when_all_three_servers_are_killed_at_once");
    let mut choices = plan.choices();
    let work = Workload::start(&triad, plan).await;
    for _ in 0..rounds(6) {
        work.answers(1 + choices.below(20)).await;
        kill_all(&mut triad);
        let first = choices.below(3) as usize;
        for place in 0..3 {
            restart(&mut triad, Role::ALL[(first + place) % 3]).await;
        }
        wait_until_master(&triad, Primary).await;
    }
    work.answers(5).await;
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, [], "an outage is a slower answer");
    assert!(report.verdict.granted > 50 && report.verdict.held > 0, "too little was done: {report:?}");
}

/// A silent leader is trusted for three seconds here. That is for hosts and cables: nobody waits so long for the dead process of a
/// primary, nor after a start of all three. The fastest of all rounds counts: hosts are busy.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_lease_of_a_dead_process() {
    const LEASE: Duration = Duration::from_secs(3);
    let mut triad = start(TriadOptions { heartbeat_interval: Some(1), ..forgiving() }).await;
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..rounds(3) {
        let killed = Instant::now();
        triad.kill(Primary);
        wait_until_master(&triad, Secondary).await;
        fastest[0] = fastest[0].min(killed.elapsed());
        restart(&mut triad, Primary).await;
        wait_until_master(&triad, Primary).await;

        kill_all(&mut triad);
        let killed = Instant::now();
        for role in Role::ALL {
            restart(&mut triad, role).await;
        }
        wait_until_master(&triad, Primary).await;
        fastest[1] = fastest[1].min(killed.elapsed());
    }
    assert!(fastest.iter().all(|gap| *gap < LEASE), "{fastest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_a_killed_standby() {
    let mut triad = start_patient(TriadOptions::default()).await;
    let work = Workload::start(&triad, Plan::new("nobody_notices_a_killed_standby")).await;
    for standby in [Tertiary, Secondary, Tertiary, Secondary] {
        work.answers(5).await;
        triad.kill(standby);
        work.answers(20).await;
        wait_until_master(&triad, Primary).await;
        restart(&mut triad, standby).await;
    }
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, []);
    assert_eq!(report.disconnections, 0, "{report:?}");
}
