//! Real servers on a network that is cut, slow or torn: whatever was acknowledged is there when it heals, the primary is
//! master again, and for the clients it was a slower answer.

use std::time::Duration;

use licensing_core::id::Role;
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use licensing_tests::process::{
    restart, rounds, status, wait_until, wait_until_master, wait_until_whole, with_arguments,
};
use licensing_tests::proxy::{Delay, Flow, Network};
use licensing_tests::workload::{Choices, Plan, Report, Workload};
use tokio::time::Instant;

use Role::{Primary, Secondary, Tertiary};

/// Three servers on a network, with clients at work.
struct Scene {
    network: Network,
    triad: LocalTriad,
    work: Workload,
    choices: Choices,
}

impl Scene {
    /// A server that is cut off as often as here would have to stay for longer and longer before it is trusted again.
    async fn start(test: &'static str) -> Scene {
        Scene::with(test, with_arguments(&["--failback-hold", "0s"])).await
    }

    async fn with(test: &'static str, options: TriadOptions) -> Scene {
        let plan = Plan::new(test);
        let network = Network::new(plan.seed).await.unwrap();
        let triad = network.start(options).await;
        wait_until_master(&triad, Primary).await;
        let choices = plan.choices();
        let work = Workload::start(&triad, plan).await;
        Scene { network, triad, work, choices }
    }

    /// A cut for a while, or for so long that connections do not survive it.
    fn cut(&mut self) -> Flow {
        if self.choices.below(2) == 0 { Flow::Held } else { Flow::Vanishes }
    }

    async fn some_work(&mut self) {
        self.work.answers(1 + self.choices.below(10)).await;
    }

    /// After healing everything is as before.
    async fn heal(&self) {
        self.network.heal();
        wait_until_master(&self.triad, Primary).await;
        wait_until_whole(&self.triad).await;
    }

    async fn finish(self) -> Report {
        self.work.answers(3).await;
        let report = self.work.finish(&self.triad).await;
        eprintln!("{:?}, longest wait {:?}", self.network.tally(), report.longest_wait);
        assert_eq!(report.errors, [], "for a client the network is a slower answer");
        assert!(report.verdict.granted > 30 && report.verdict.denied > 5, "too little was done: {report:?}");
        report
    }

    /// Waits until this server has not heard the other one for too long to believe in it.
    async fn waits_in_vain(&self, server: Role, other: Role) {
        wait_until(format!("the {server} misses the {other}"), async || {
            let page = status(&self.triad.address(server)).await?;
            (!page.servers[other.place()].up).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_cut_off_from_both_is_replaced_and_returns() {
    let mut scene = Scene::start("a_primary_cut_off_from_both_is_replaced_and_returns").await;
    for _ in 0..rounds(4) {
        scene.some_work().await;
        let cut = scene.cut();
        scene.network.around(Primary, cut);
        wait_until_master(&scene.triad, Secondary).await;
        scene.some_work().await;
        scene.heal().await;
    }
    let tally = scene.network.tally();
    assert!(tally.held + tally.vanished > 0, "{tally:?}");
    scene.finish().await;
}

/// In each direction between each two, and out of and into each server.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_in_one_direction_is_only_a_slower_answer() {
    let mut scene = Scene::start("a_cut_in_one_direction_is_only_a_slower_answer").await;
    for _ in 0..rounds(1) {
        for (from, to) in directed_pairs() {
            scene.some_work().await;
            let cut = scene.cut();
            scene.network.say(from, to, cut);
            scene.waits_in_vain(to, from).await;
            scene.some_work().await;
            scene.heal().await;
        }
        for server in Role::ALL {
            let others: Vec<Role> = Role::ALL.into_iter().filter(|other| *other != server).collect();
            for outwards in [true, false] {
                scene.some_work().await;
                let cut = scene.cut();
                for other in &others {
                    let (from, to) = if outwards { (server, *other) } else { (*other, server) };
                    scene.network.say(from, to, cut);
                }
                // Two still hear each other, so the clients are served.
                scene.some_work().await;
                scene.heal().await;
            }
        }
    }
    scene.finish().await;
}

fn directed_pairs() -> impl Iterator<Item = (Role, Role)> {
    let all = Role::ALL.into_iter().flat_map(|from| Role::ALL.map(|to| (from, to)));
    all.filter(|(from, to)| from != to)
}

/// With one pair cut the third server hears both: the primary need not be replaced, and is not disturbed by the one who
/// misses it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_two_servers_cannot_hear_each_other() {
    // A leader is trusted for three seconds here, so that a busy machine does not move the mastership by itself.
    let options = TriadOptions { heartbeat_interval: Some(1), ..TriadOptions::default() };
    let mut scene = Scene::with("nobody_notices_that_two_servers_cannot_hear_each_other", options).await;
    for _ in 0..rounds(1) {
        for (one, other) in [(Primary, Secondary), (Primary, Tertiary), (Secondary, Tertiary)] {
            let cut = scene.cut();
            scene.network.pair(one, other, cut);
            scene.waits_in_vain(other, one).await;
            if (one, other) == (Primary, Secondary) {
                wait_until("the secondary has given up the primary", async || {
                    status(&scene.triad.address(Secondary)).await?.master.is_none().then_some(())
                })
                .await;
            }
            // Whoever would disturb the primary has had its chance by then.
            scene.work.answers(50).await;
            wait_until_master(&scene.triad, Primary).await;
            scene.heal().await;
        }
    }
    let report = scene.finish().await;
    assert_eq!(report.disconnections, 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_is_slow_and_nothing_else() {
    let options = TriadOptions { heartbeat_interval: Some(1), ..TriadOptions::default() };
    let scene = Scene::with("a_slow_network_is_slow_and_nothing_else", options).await;
    let slow = Flow::Passes(Delay { least: Duration::from_millis(10), more: Duration::from_millis(20) });
    for _ in 0..rounds(1) {
        // One far server costs nothing, three far from each other cost everybody.
        for links in [&[(Primary, Secondary)][..], &[(Primary, Tertiary), (Secondary, Tertiary)]] {
            for (one, other) in links {
                scene.network.pair(*one, *other, slow);
            }
            scene.work.answers(15).await;
        }
        scene.network.clients(Primary, slow);
        scene.work.answers(15).await;
        scene.heal().await;
    }
    let report = scene.finish().await;
    assert_eq!(report.disconnections, 0, "{report:?}");
    assert!(report.longest_wait >= Duration::from_millis(40), "the network was not slow: {report:?}");
}

/// Connections of servers and clients are reset faster than they are made, and half of the new ones are lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_resets_tears_no_seat_away() {
    let mut scene = Scene::start("a_storm_of_resets_tears_no_seat_away").await;
    for _ in 0..rounds(3) {
        scene.network.lose(50);
        let storm = async {
            loop {
                scene.network.reset(scene.choices.below(9) as usize);
                // The pace of the storm: a connection lives for a fifth of a second.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = storm => {}
            () = scene.work.answers(20) => {}
        }
        scene.heal().await;
    }
    let resets = scene.network.tally().resets;
    assert!(resets > 20, "{resets} resets are no storm");
    let report = scene.finish().await;
    assert!(report.disconnections > 0, "the storm has reached no client");
}

/// Clients that reach the two others, and these know who is master, but not the master itself.
#[tokio::test(flavor = "multi_thread")]
async fn clients_cut_off_from_the_master_keep_their_seats() {
    let options = with_arguments(&["--failback-hold", "0s", "--session-grace", "1m"]);
    let mut scene = Scene::with("clients_cut_off_from_the_master_keep_their_seats", options).await;
    for _ in 0..rounds(2) {
        scene.some_work().await;
        let cut = scene.cut();
        scene.network.clients(Primary, cut);
        wait_until("a client has lost its master", async || {
            let tally = scene.network.tally();
            (tally.held + tally.vanished > 0).then_some(())
        })
        .await;
        scene.heal().await;
        scene.some_work().await;
    }
    scene.finish().await;
}

/// The primary commits with the tertiary while the secondary lags, and dies. The secondary cannot win, its log is too
/// short; the tertiary must not serve. So it becomes leader, brings the secondary up to date and hands over, at once.
#[tokio::test(flavor = "multi_thread")]
async fn the_tertiary_helps_a_secondary_that_lags() {
    let mut scene = Scene::start("the_tertiary_helps_a_secondary_that_lags").await;
    let mut fastest = Duration::MAX;
    for round in 1..=rounds(6) {
        scene.some_work().await;
        let cut = scene.cut();
        scene.network.around(Secondary, cut);
        scene.work.answers(3).await;
        // What the secondary was told before the cut and what it is told after it differ by these answers.
        scene.triad.kill(Primary);
        scene.network.heal();
        let healed = Instant::now();
        wait_until_master(&scene.triad, Secondary).await;
        fastest = fastest.min(healed.elapsed());
        scene.some_work().await;
        let log = scene.triad.log(Tertiary);
        assert!(
            log.matches("handing over to the secondary").count() >= round,
            "round {round}: the trap has not snapped: {log}"
        );
        restart(&mut scene.triad, Primary).await;
        scene.heal().await;
    }
    // That is how long a tertiary waits for its turn when nobody needs it as caretaker.
    assert!(fastest < Duration::from_secs(2), "even the fastest of all rounds took {fastest:?}");
    scene.finish().await;
}
