//! A dead process is known at once, and nothing else is taken for one: in virtual time, with the claim that at most one server
//! serves looked at all the while.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::id::Role;
use licensing_tests::simulation::network::Way;
use licensing_tests::simulation::{End, Network, Service, Site, Triad, play, play_on};
use tokio::time::{Instant, sleep};

use Role::{Primary, Secondary, Tertiary};

/// Virtual time in which any election is over.
const PATIENCE: Duration = Duration::from_secs(20);

/// A standby that knows at once serves by then: two votes and an entry on the disks, over wires that lose a packet now and then.
const AT_ONCE: Duration = Duration::from_millis(60);

/// Nobody serves before the lease has ended, as the fastest clock counts it.
const LEASE: Duration = Duration::from_millis(230);

async fn until_master(site: &Site<Triad>, role: Role) -> Duration {
    let begun = Instant::now();
    while site.service.master(&site.servers()) != Some(role) {
        assert!(begun.elapsed() < PATIENCE, "the {role} is not master after {PATIENCE:?}");
        sleep(Duration::from_micros(200)).await;
    }
    begun.elapsed()
}

/// The primary is master, and all have talked to each other for a while.
async fn settled(site: &Site<Triad>) {
    until_master(site, Primary).await;
    sleep(Duration::from_secs(2)).await;
}

fn elections_by_evidence(site: &Site<Triad>) -> u64 {
    let counted =
        |role: Role| site.awake(role).map_or(0, |server| server.node().counts().elections_by_evidence);
    Role::ALL.map(counted).iter().sum()
}

fn between(one: Role, other: Role) -> [Way; 2] {
    let (one, other) = (End::Server(one), End::Server(other));
    [(one, other), (other, one)]
}

#[test]
fn the_secondary_takes_over_at_once_when_the_process_of_the_primary_is_dead() {
    let mut at_once = 0;
    for seed in 100..120 {
        let (telling, told) = std::sync::mpsc::channel();
        let violations = play(Triad::default(), seed, move |site: Arc<Site<Triad>>| async move {
            settled(&site).await;
            site.crash(Primary).await;
            let _ = telling.send(until_master(&site, Secondary).await);
        });
        assert_eq!(violations, [], "seed {seed}");
        at_once += u32::from(told.recv().is_ok_and(|gap| gap < AT_ONCE));
    }
    // Now and then a disk stalls, or all connections are reset because something was unread.
    assert!(at_once >= 16, "only {at_once} of 20 times");
}

#[test]
fn the_primary_takes_over_at_once_when_the_process_of_the_secondary_is_dead() {
    let mut at_once = 0;
    for seed in 120..130 {
        let (telling, told) = std::sync::mpsc::channel();
        let violations = play(Triad::default(), seed, move |site: Arc<Site<Triad>>| async move {
            settled(&site).await;
            let node = site.awake(Primary).expect("it is master").node().clone();
            node.hand_over().await.expect("the secondary is there");
            until_master(&site, Secondary).await;
            // Before the primary has its mastership back, which takes four heartbeats.
            sleep(Duration::from_millis(100)).await;
            site.crash(Secondary).await;
            let _ = telling.send(until_master(&site, Primary).await);
        });
        assert_eq!(violations, [], "seed {seed}");
        at_once += u32::from(told.recv().is_ok_and(|gap| gap < AT_ONCE));
    }
    assert!(at_once >= 7, "only {at_once} of 10 times");
}

/// Whatever happens to the primary here leaves it alive, or its lease unbroken as far as anybody can know.
fn check_waits_for_the_lease<F: Future<Output = ()>>(
    seeds: std::ops::Range<u64>,
    network: impl Fn(u64) -> Network,
    trouble: impl Fn(Arc<Site<Triad>>) -> F + Clone + Send + 'static,
) {
    for seed in seeds {
        let trouble = trouble.clone();
        let violations =
            play_on(Triad::default(), network(seed), seed, move |site: Arc<Site<Triad>>| async move {
                settled(&site).await;
                let before = elections_by_evidence(&site);
                let begun = Instant::now();
                trouble(site.clone()).await;
                while site.service.master(&site.servers()) != Some(Secondary) && begun.elapsed() < LEASE {
                    sleep(Duration::from_micros(500)).await;
                }
                assert!(begun.elapsed() >= LEASE, "somebody else was master after {:?}", begun.elapsed());
                assert_eq!(elections_by_evidence(&site), before);
                // What comes later is seen by those who look who serves.
                sleep(Duration::from_secs(1)).await;
            });
        assert_eq!(violations, [], "seed {seed}");
    }
}

#[test]
fn a_host_without_power_is_waited_for() {
    check_waits_for_the_lease(200..205, Network::new, |site| async move {
        site.network.lose_power(Primary);
        site.crash(Primary).await;
    });
}

#[test]
fn a_process_that_stands_still_is_waited_for() {
    check_waits_for_the_lease(205..210, Network::new, |site| async move { site.pause(Primary) });
}

#[test]
fn a_firewall_that_resets_and_refuses_forges_no_death() {
    check_waits_for_the_lease(210..220, Network::new, |site| async move {
        site.network.reject([Secondary, Tertiary].into_iter().flat_map(|other| between(Primary, other)));
    });
}

/// It hears nobody, but its clients hear it.
#[test]
fn connections_that_are_reset_while_new_ones_are_refused_forge_no_death() {
    check_waits_for_the_lease(220..230, Network::new, |site| async move {
        site.network.reset(Primary);
        let to_it = [Secondary, Tertiary].map(|other| (End::Server(other), End::Server(Primary)));
        let from_it = [Secondary, Tertiary].map(|other| (End::Server(Primary), End::Server(other)));
        site.network.reject(to_it);
        site.network.cut(from_it);
    });
}

/// A tunnel ends what it carries in good order, and its system refuses what comes later, as a dead primary's would.
#[test]
fn a_tunnel_that_goes_down_forges_no_death() {
    let network = |seed| {
        let network = Network::new(seed);
        network.forward([Secondary, Tertiary].into_iter().flat_map(|other| between(Primary, other)));
        network
    };
    check_waits_for_the_lease(230..240, network, |site| async move { site.network.set_forwarder(false) });
}

/// The process of the primary is dead, and the way to its host is cut: what was refused is not known, what is silent is no refusal.
#[test]
fn an_address_that_does_not_answer_is_no_evidence() {
    check_waits_for_the_lease(240..250, Network::new, |site| async move {
        site.crash(Primary).await;
        site.network.cut([Secondary, Tertiary].map(|other| (End::Server(other), End::Server(Primary))));
    });
}

/// The secondary is told by a tunnel that the primary is dead; the tertiary has no reason to believe it.
#[test]
fn a_voter_believes_nobody_but_itself() {
    let network = |seed| {
        let network = Network::new(seed);
        network.forward(between(Primary, Tertiary));
        network
    };
    // The primary is dead, but the tertiary cannot know: what it sees may be the tunnel's doing.
    check_waits_for_the_lease_of_the_tertiary(250..260, network);
}

fn check_waits_for_the_lease_of_the_tertiary(seeds: std::ops::Range<u64>, network: impl Fn(u64) -> Network) {
    for seed in seeds {
        let violations =
            play_on(Triad::default(), network(seed), seed, move |site: Arc<Site<Triad>>| async move {
                settled(&site).await;
                let term = site.awake(Secondary).map(|server| server.node().raft_view().term);
                let begun = Instant::now();
                site.crash(Primary).await;
                until_master(&site, Secondary).await;
                assert!(begun.elapsed() >= LEASE, "after {:?}", begun.elapsed());
                // It asked often, and each time only whether it would be elected.
                let later = site.awake(Secondary).map(|server| server.node().raft_view().term);
                assert!(later <= term.map(|term| term + 2), "{term:?}, then {later:?}");
            });
        assert_eq!(violations, [], "seed {seed}");
    }
}

/// Its successor connects before anybody has acted: what is known of the former life is forgotten, and nothing goes wrong.
#[test]
fn a_restart_faster_than_an_election_makes_no_second_master() {
    for seed in 260..300 {
        let violations = play(Triad::default(), seed, move |site: Arc<Site<Triad>>| async move {
            settled(&site).await;
            site.crash(Primary).await;
            sleep(Duration::from_micros((seed - 260) * 100)).await;
            site.start(Primary).await;
            sleep(Duration::from_secs(1)).await;
            until_master(&site, Primary).await;
        });
        assert_eq!(violations, [], "seed {seed}");
    }
}

/// The tertiary alone has the newest entries when the primary dies.
#[test]
fn the_caretaker_helps_at_once_too() {
    for seed in 300..310 {
        let violations = play(Triad::default(), seed, move |site: Arc<Site<Triad>>| async move {
            settled(&site).await;
            site.network.cut(between(Primary, Secondary));
            site.network.cut(between(Tertiary, Secondary));
            sleep(Duration::from_secs(1)).await;
            site.network.mend(between(Tertiary, Secondary));
            site.crash(Primary).await;
            until_master(&site, Secondary).await;
        });
        assert_eq!(violations, [], "seed {seed}");
    }
}

/// An empty triad has granted no lease, so nobody waits for one.
#[test]
fn a_first_start_waits_for_no_lease() {
    for seed in 310..320 {
        let violations = play(Triad::default(), seed, move |site: Arc<Site<Triad>>| async move {
            let waited = until_master(&site, Primary).await;
            assert!(waited < LEASE, "seed {seed}: {waited:?}");
        });
        assert_eq!(violations, [], "seed {seed}");
    }
}

#[test]
fn a_start_of_all_three_waits_for_no_lease() {
    let mut quick = 0;
    for seed in 320..330 {
        let (telling, told) = std::sync::mpsc::channel();
        let violations = play(Triad::default(), seed, move |site: Arc<Site<Triad>>| async move {
            settled(&site).await;
            for role in Role::ALL {
                site.crash(role).await;
            }
            for role in Role::ALL {
                site.start(role).await;
            }
            let _ = telling.send(until_master(&site, Primary).await);
        });
        assert_eq!(violations, [], "seed {seed}");
        quick += u32::from(told.recv().is_ok_and(|waited| waited < LEASE));
    }
    assert!(quick >= 7, "only {quick} of 10 times");
}

/// It may still serve: only its word, or the end of its lease, lets the others go on.
#[test]
fn whoever_starts_waits_for_the_lease_of_a_leader_that_does_not_answer() {
    for seed in 330..340 {
        let violations = play(Triad::default(), seed, move |site: Arc<Site<Triad>>| async move {
            settled(&site).await;
            site.network.cut([Secondary, Tertiary].into_iter().flat_map(|other| between(Primary, other)));
            let begun = Instant::now();
            for role in [Secondary, Tertiary] {
                site.crash(role).await;
                site.start(role).await;
            }
            until_master(&site, Secondary).await;
            assert!(begun.elapsed() >= LEASE, "after {:?}", begun.elapsed());
        });
        assert_eq!(violations, [], "seed {seed}");
    }
}
