//! Which server a client takes: of several sites in one search path (`1@primary:2@secondary`), and behind a load balancer.

mod scripted;

use std::time::Duration;

use licensing_client::protocol::Request;
use licensing_core::id::Role;
use scripted::{Stage, address, config, connecting, millis_since};
use tokio::time::{Instant, sleep};

use Role::{Primary, Secondary};

#[tokio::test(start_paused = true)]
async fn an_independent_site_is_tried_when_the_first_has_no_master() {
    let stage = Stage::new();
    let [mut primary, mut secondary, _tertiary] = stage.triad().0;
    let begin = Instant::now();
    let connecting = connecting(&stage, config("1@primary:2@secondary".parse().unwrap()));
    let mut idle = primary.accept(None).await;
    let mut master = secondary.accept(Some(Secondary)).await;
    assert_eq!(millis_since(begin), 250);
    master.open_session().await;
    let client = connecting.await.unwrap().unwrap();
    idle.hung_up().await;
    // One name only: the client asks who else there is.
    assert!(matches!(master.request().await, (_, Request::Status { .. })));
    // The session belongs to the second site: the first is not asked any more.
    drop((master, secondary));
    sleep(Duration::from_secs(3)).await;
    let mut secondary = stage.server(Secondary);
    secondary.accept(Some(Secondary)).await.heartbeat().await;
    assert_eq!((client.server(), stage.dials(Primary)), (Some(address(Secondary)), 1));
}

/// However the servers of all sites fail: a client that starts before they do is no burden to them, nor to its own machine.
#[tokio::test(start_paused = true)]
async fn a_round_over_sites_that_all_fail_is_followed_by_a_pause() {
    for swallowed in [false, true] {
        let stage = Stage::new();
        for role in Role::ALL.into_iter().filter(|_| swallowed) {
            stage.cut(role);
        }
        let mut config = config("1@primary:2@secondary:3@tertiary".parse().unwrap());
        config.connect_timeout = Duration::from_secs(10);
        let error = connecting(&stage, config).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("within 10000 ms"), "{error}");
        let dials = Role::ALL.map(|role| stage.dials(role));
        assert!(dials.iter().all(|dials| (2..100).contains(dials)), "{dials:?} dials in ten seconds");
    }
}

/// The servers behind a load balancer pass a client on only while they know a master that they can reach.
#[tokio::test(start_paused = true)]
async fn behind_a_balancer_a_standby_that_learns_of_a_master_is_dialed_anew() {
    let stage = Stage::new();
    let [mut balancer, _, _] = stage.triad().0;
    let mut config = config("1@primary".parse().unwrap());
    config.relay = true;
    let connecting = connecting(&stage, config);
    let mut standby = balancer.accept(None).await;
    let begin = Instant::now();
    standby.moved(Some(Secondary)).await;
    standby.hung_up().await;
    // It knows the master now, and cannot reach it yet.
    for _ in 0..3 {
        balancer.accept(Some(Secondary)).await.hung_up().await;
    }
    balancer.accept(Some(Primary)).await.open_session().await;
    connecting.await.unwrap().unwrap();
    assert!(millis_since(begin) < 100, "{} ms", millis_since(begin));
}
