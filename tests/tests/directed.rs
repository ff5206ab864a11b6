//! Scenarios in virtual time in which a certain moment is what matters: the same steps, to the microsecond, on every
//! machine.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::command::Identity;
use licensing_core::id::{Role, Token};
use licensing_tests::simulation::{End, Service, Site, Triad, play};
use tokio::time::{Instant, sleep};

use Role::{Primary, Secondary, Tertiary};

/// Virtual time in which any election is over.
const PATIENCE: Duration = Duration::from_secs(20);

async fn until_master(site: &Site<Triad>, role: Role) -> Duration {
    let begun = Instant::now();
    while site.service.master(&site.servers()) != Some(role) {
        assert!(begun.elapsed() < PATIENCE, "the {role} is not master after {PATIENCE:?}");
        sleep(Duration::from_millis(1)).await;
    }
    begun.elapsed()
}

fn handovers_of(site: &Site<Triad>, role: Role) -> u64 {
    site.awake(role).map_or(0, |server| server.node().counts().handovers)
}

#[test]
fn a_primary_that_crashes_again_and_again_gets_the_mastership_back_later_and_later() {
    let violations = play(Triad::default(), 1, move |site: Arc<Site<Triad>>| async move {
        until_master(&site, Primary).await;
        let mut waits = Vec::new();
        for _ in 0..8 {
            site.crash(Primary).await;
            until_master(&site, Secondary).await;
            site.start(Primary).await;
            waits.push(until_master(&site, Primary).await);
        }
        // The hold of the simulated triad is one second at most.
        assert!(waits[0] < Duration::from_millis(700), "{waits:?}");
        assert!(waits[7] >= Duration::from_millis(1000), "{waits:?}");
    });
    assert_eq!(violations, []);
}

#[test]
fn nobody_hands_over_to_a_primary_that_cannot_be_reached() {
    let violations = play(Triad::default(), 2, move |site: Arc<Site<Triad>>| async move {
        until_master(&site, Primary).await;
        let away: Vec<_> = Primary
            .others()
            .into_iter()
            .flat_map(|other| {
                [(End::Server(Primary), End::Server(other)), (End::Server(other), End::Server(Primary))]
            })
            .collect();
        site.network.cut(away.iter().copied());
        until_master(&site, Secondary).await;
        sleep(Duration::from_secs(3)).await;
        assert_eq!(handovers_of(&site, Secondary), 0);
        site.network.mend(away);
        until_master(&site, Primary).await;
        assert_eq!(handovers_of(&site, Secondary), 1);
    });
    assert_eq!(violations, []);
}

/// It said hello to the others when it knew of no triad, and on such connections they take nothing that only members ask.
#[test]
fn a_primary_with_a_new_disk_takes_over_at_the_first_try() {
    for seed in 6..18 {
        let violations = play(Triad::default(), seed, move |site: Arc<Site<Triad>>| async move {
            until_master(&site, Primary).await;
            site.crash(Primary).await;
            site.host(Primary).disk().wipe();
            until_master(&site, Secondary).await;
            site.start(Primary).await;
            until_master(&site, Primary).await;
            let counts = site.awake(Secondary).expect("the secondary runs").node().counts();
            assert_eq!((counts.handovers, counts.handovers_taken_back), (1, 0), "seed {seed}");
        });
        assert_eq!(violations, [], "seed {seed}");
    }
}

#[test]
fn a_triad_whose_founder_dies_at_once_is_founded_all_the_same() {
    // Whatever the founder had written by then.
    for step in 0..60 {
        let violations = play(Triad::default(), 3, move |site: Arc<Site<Triad>>| async move {
            sleep(Duration::from_micros(30_000 + step * 7_000)).await;
            site.crash(Primary).await;
            sleep(Duration::from_millis(500)).await;
            site.start(Primary).await;
            until_master(&site, Primary).await;
        });
        assert_eq!(violations, [], "step {step}");
    }
}

/// The founder loses its disk before the first decision, and founds again while a server that was promised to the first
/// triad is away. That server holds nothing, so nothing may keep it away.
#[test]
fn a_promise_to_a_triad_that_never_began_keeps_nobody_away() {
    for away in [Secondary, Tertiary] {
        for step in 0..100 {
            let violations = play(Triad::default(), 4, move |site: Arc<Site<Triad>>| async move {
                until_member(&site, away).await;
                lose_the_founder(&site).await;
                sleep(Duration::from_micros(step * 500)).await;
                site.crash(away).await;
                sleep(Duration::from_millis(300)).await;
                site.start(away).await;
                until_each_carries(&site).await;
            });
            assert_eq!(violations, [], "step {step}, the {away} was away");
        }
    }
}

/// The founder loses its disk while its first entries are on their way: some have come to one of the others, to both, or to
/// none.
#[test]
fn a_triad_whose_founder_loses_its_disk_is_founded_all_the_same() {
    for step in 0..200 {
        let violations = play(Triad::default(), 5, move |site: Arc<Site<Triad>>| async move {
            until_member(&site, Secondary).await;
            sleep(Duration::from_micros(step * 250)).await;
            lose_the_founder(&site).await;
            until_each_carries(&site).await;
        });
        assert_eq!(violations, [], "step {step}");
    }
}

/// The primary is cut off and does not notice that the others went on without it; then they die, and one of them loses its
/// disk. An empty server must not make a quorum with a leader of the past: what the two others decided would be undone.
#[test]
fn a_leader_of_the_past_is_no_quorum_with_an_empty_server() {
    let between =
        |other| [(End::Server(Primary), End::Server(other)), (End::Server(other), End::Server(Primary))];
    let violations = play(Triad::default(), 6, move |site: Arc<Site<Triad>>| async move {
        until_master(&site, Primary).await;
        site.network.cut([Secondary, Tertiary].into_iter().flat_map(between));
        until_master(&site, Secondary).await;
        let node = site.awake(Secondary).expect("it is master").node().clone();
        let word = String::new;
        let identity = Identity { user: word(), host: word(), display: word(), pid: 1, project: word() };
        let session = node.open_session(Token([7; 16]), identity, None).await.expect("it is master").id();
        site.crash(Secondary).await;
        site.crash(Tertiary).await;
        site.host(Tertiary).disk().wipe();
        // What the secondary sent is still under way, and would tell the primary that it is of the past.
        site.network.mend(between(Tertiary));
        site.start(Tertiary).await;
        sleep(Duration::from_secs(3)).await;
        assert_eq!(site.service.master(&site.servers()), None, "the tertiary had lost its disk");
        site.network.mend(between(Secondary));
        site.start(Secondary).await;
        until_master(&site, Primary).await;
        let primary = site.awake(Primary).expect("it is master");
        assert!(primary.node().look(|state| state.sessions().any(|known| known == session)));
    });
    assert_eq!(violations, []);
}

/// Waits until a server is a full member, be it of a triad that is about to be founded.
async fn until_member(site: &Site<Triad>, role: Role) {
    let begun = Instant::now();
    while site.awake(role).is_none_or(|server| server.node().servers()[role.place()].remark.is_some()) {
        assert!(begun.elapsed() < PATIENCE, "the {role} is no member after {PATIENCE:?}");
        sleep(Duration::from_micros(50)).await;
    }
}

async fn lose_the_founder(site: &Site<Triad>) {
    site.crash(Primary).await;
    site.host(Primary).disk().wipe();
    site.start(Primary).await;
}

/// Each of the standbys is a full member: it carries the triad with the primary alone, longer than any lease lasts.
async fn until_each_carries(site: &Site<Triad>) {
    until_master(site, Primary).await;
    for gone in [Tertiary, Secondary] {
        until_member(site, gone).await;
        site.crash(gone).await;
        sleep(Duration::from_secs(1)).await;
        until_master(site, Primary).await;
        site.start(gone).await;
        until_member(site, gone).await;
    }
}
