//! Scenarios in virtual time in which a certain moment is what matters: the same steps, to the microsecond, on every
//! machine.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::id::Role;
use licensing_tests::simulation::{End, Service, Site, Triad, play};
use tokio::time::{Instant, sleep};

use Role::{Primary, Secondary};

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
    let violations = play(Triad::default(), 1, |site: Arc<Site<Triad>>| async move {
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
    let violations = play(Triad::default(), 2, |site: Arc<Site<Triad>>| async move {
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

#[test]
fn a_triad_whose_founder_dies_at_once_is_founded_all_the_same() {
    // Whatever the founder had written by then.
    for step in 0..60 {
        let violations = play(Triad::default(), 3, |site: Arc<Site<Triad>>| async move {
            sleep(Duration::from_micros(30_000 + step * 7_000)).await;
            site.crash(Primary).await;
            sleep(Duration::from_millis(500)).await;
            site.start(Primary).await;
            until_master(&site, Primary).await;
        });
        assert_eq!(violations, [], "step {step}");
    }
}
