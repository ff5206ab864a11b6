//! Client processes that die, and client processes that only look dead: the seats of the first come back after the
//! session's grace and not before, those of the second stay.

use std::time::Duration;

use licensing_core::id::{Handle, Role};
use licensing_server::local_triad::LocalTriad;
use licensing_tests::process::{
    Holder, ctl, handles, master_status, restart, start, status, wait_until, wait_until_master,
    with_arguments,
};
use rustix::process::Signal;
use tokio::time::{Instant, sleep_until};

use Role::{Primary, Secondary};

/// Waits until all servers that run show a checkout.
async fn is_shown_by_all(triad: &LocalTriad, handle: Handle) {
    wait_until("all servers show the seat", async || {
        for role in Role::ALL.into_iter().filter(|role| triad.is_running(*role)) {
            if !handles(&status(&triad.address(role)).await?).contains(&handle) {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// Waits until no server shows a checkout any more. Panics when one of them stops showing it before `earliest`: the
/// grace is a lower bound, on every server.
async fn comes_back_not_before(triad: &LocalTriad, handle: Handle, earliest: Instant) {
    wait_until("the seat is free on all servers", async || {
        let mut free = true;
        for role in Role::ALL.into_iter().filter(|role| triad.is_running(*role)) {
            let page = status(&triad.address(role)).await?;
            let shown = handles(&page).contains(&handle);
            assert!(
                shown || Instant::now() >= earliest,
                "the {role} has given checkout {handle} back {:?} too early",
                earliest - Instant::now()
            );
            free &= !shown;
        }
        free.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_client_loses_its_seat_after_the_grace_and_not_before() {
    let triad = start(with_arguments(&["--session-grace", "1s"])).await;
    // Its first sign of life, the opening of the session, comes later than this.
    let before = Instant::now();
    let mut holder = Holder::start(&triad, "f1");
    let handle = holder.granted().await;
    is_shown_by_all(&triad, handle).await;
    let killed = holder.kill().await;
    comes_back_not_before(&triad, handle, before + Duration::from_secs(1)).await;
    eprintln!("back {:?} after the client was killed", killed.elapsed());
    let page = master_status(&triad).await;
    assert_eq!((page.sessions, page.checkouts.len()), (0, 0));
    wait_until("the primary's log says why", async || {
        triad.log(Primary).contains("(INACTIVE)").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_client_keeps_its_seat_beyond_the_grace() {
    let triad = start(with_arguments(&["--session-grace", "2s"])).await;
    let mut holder = Holder::start(&triad, "f1");
    let handle = holder.granted().await;
    // Two and a half graces; that nothing happens in all that time is the point.
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        assert_eq!(handles(&master_status(&triad).await), [handle]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    holder.signal(Signal::TERM);
    assert_eq!(holder.event("returned").await["handle"], handle.0);
    assert_eq!(holder.exit_code().await, Some(0));
    assert_eq!(handles(&master_status(&triad).await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_finds_the_new_master_keeps_its_seat() {
    let mut triad = start(with_arguments(&["--session-grace", "2s"])).await;
    let mut holder = Holder::start(&triad, "f1 --count 2");
    let handle = holder.granted().await;
    triad.kill(Primary);
    for master in [Secondary, Primary] {
        // On a busy machine it may also lose a master that lives, and find it again.
        let address = triad.address(master).to_string();
        while holder.event("reconnected").await["server"] != address {}
        // More than a grace: only its heartbeats to the new master can have kept the seat.
        sleep_until(Instant::now() + Duration::from_secs(3)).await;
        assert_eq!(handles(&master_status(&triad).await), [handle]);
        if master == Secondary {
            restart(&mut triad, Primary).await;
        }
    }
    holder.signal(Signal::TERM);
    assert_eq!(holder.event("returned").await["handle"], handle.0);
}

/// The signs of life of a session are known to the master that got them and die with it. The next master must not
/// guess: it gives everybody a whole grace.
#[tokio::test(flavor = "multi_thread")]
async fn the_grace_begins_anew_with_a_new_master() {
    let grace = Duration::from_secs(4);
    let mut triad = start(with_arguments(&["--session-grace", "4s"])).await;
    let mut holder = Holder::start(&triad, "f1");
    let handle = holder.granted().await;
    is_shown_by_all(&triad, handle).await;
    let client_killed = holder.kill().await;
    // Half of the grace is over when the master goes; the other half is what a slow machine may lose.
    sleep_until(client_killed + grace / 2).await;
    // The secondary cannot have been master before this.
    let master_killed = Instant::now();
    triad.kill(Primary);
    wait_until_master(&triad, Secondary).await;
    assert_eq!(handles(&master_status(&triad).await), [handle]);
    comes_back_not_before(&triad, handle, master_killed + grace).await;
    eprintln!(
        "back {:?} after the client and {:?} after the master",
        client_killed.elapsed(),
        master_killed.elapsed()
    );
}

/// A server that was master, and is so again without having been restarted, still has the signs of life of long ago.
#[tokio::test(flavor = "multi_thread")]
async fn the_grace_begins_anew_with_a_master_that_was_it_before() {
    let grace = Duration::from_secs(2);
    let triad = start(with_arguments(&["--session-grace", "2s"])).await;
    let mut holder = Holder::start(&triad, "f1");
    let handle = holder.granted().await;
    ctl(&triad, "failover --to secondary").await.with(0);
    // By then the primary has heard nothing of the session for longer than its grace.
    sleep_until(Instant::now() + grace + grace / 4).await;
    is_shown_by_all(&triad, handle).await;
    holder.kill().await;
    let handed_back = Instant::now();
    ctl(&triad, "failover --to primary").await.with(0);
    wait_until_master(&triad, Primary).await;
    comes_back_not_before(&triad, handle, handed_back + grace).await;
}
