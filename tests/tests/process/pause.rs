//! A master whose process stands still (SIGSTOP, a suspended virtual machine, a swap storm) and does not know it when
//! it goes on: it must not grant on a lease that has run out meanwhile.

use std::time::Duration;

use licensing_client::protocol::{Reply, Request};
use licensing_client::{Client, ClientConfig, Direct, TcpDial};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{RequestId, Role, Seats, SessionId, Token};
use licensing_core::outcome::{Answer, Denial, Outcome};
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use licensing_tests::process::{PATIENCE, master_status, rounds, start, wait_until_master};
use licensing_tests::workload::{Plan, Workload};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use Role::{Primary, Secondary};

/// Ten leases: whatever the master had been promised is over.
const PAUSE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_master_is_replaced_and_returns_without_harm() {
    let mut triad = start(TriadOptions::default()).await;
    let plan = Plan::new("a_paused_master_is_replaced_and_returns_without_harm");
    let mut choices = plan.choices();
    let work = Workload::start(&triad, plan).await;
    for _ in 0..rounds(5) {
        work.answers(1 + choices.below(20)).await;
        triad.pause(Primary).unwrap();
        let until = Instant::now() + PAUSE;
        wait_until_master(&triad, Secondary).await;
        work.answers(5).await;
        // Not to wait for anything: the length of the pause is the point.
        sleep_until(until).await;
        triad.resume(Primary).unwrap();
        wait_until_master(&triad, Primary).await;
    }
    work.answers(5).await;
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, [], "a paused master is a slower answer");
    assert!(report.verdict.granted > 50, "too little was done: {report:?}");
}

/// Requests wait in the paused master's socket while the secondary gives the last seats to somebody else. The master
/// reads them the moment it wakes, when its own idea of being master is three leases old.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_wakes_does_not_grant_what_was_asked_before_it_slept() {
    let mut triad = start(TriadOptions::default()).await;
    let rival = Client::connect(ClientConfig::new(triad.search_path())).await.unwrap();
    for round in 0..5 {
        let mut sleeper = Sleeper::connect(&triad, round).await;
        triad.pause(Primary).unwrap();
        let asking = tokio::spawn(async move {
            let reply = sleeper.checkout().await;
            (sleeper, reply)
        });
        wait_until_master(&triad, Secondary).await;
        let last = rival.checkout("f2").seats(3).await.unwrap();
        triad.resume(Primary).unwrap();
        let (sleeper, reply) = asking.await.unwrap();
        match reply {
            // It knew that it was not master, or it was again, and knew of the rival's seats.
            Reply::NotMaster(_) | Reply::Unknown(_) => {}
            Reply::Answer(Answer { index, outcome: Outcome::Denied(Denial::NoFreeSeats { .. }), .. }) => {
                assert!(index > last.index(), "decided by entry {index} though {} came first", last.index());
            }
            other => panic!("round {round}: {other:?}"),
        }
        wait_until_master(&triad, Primary).await;
        let page = master_status(&triad).await;
        let held: Vec<_> = page.checkouts.iter().map(|checkout| (checkout.handle, checkout.count)).collect();
        assert_eq!(held, [(last.handle(), Seats(3))]);
        last.checkin().await.unwrap();
        sleeper.close().await;
    }
    rival.close().await.unwrap();
}

/// While the master stands still a session is opened with its successor. The master finds questions about it in its
/// sockets when it wakes, among answers of its peers from before: it must not take those for a quorum and say that
/// there is no such session, because a client that hears this gives up its seats.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_wakes_does_not_deny_a_session_it_has_slept_through() {
    let mut triad = start(TriadOptions::default()).await;
    let plan = Plan::new("a_master_that_wakes_does_not_deny_a_session_it_has_slept_through");
    let work = Workload::start(&triad, plan).await;
    for round in 0..10 {
        let mut ready = Vec::new();
        for _ in 0..40 {
            let direct = Direct::connect(&triad.address(Primary), &TcpDial).await.unwrap();
            ready.push(direct.with_answer_limit(PATIENCE));
        }
        // With answers of its peers under way.
        work.answers(1).await;
        triad.pause(Primary).unwrap();
        wait_until_master(&triad, Secondary).await;
        let client = Client::connect(ClientConfig::new(triad.search_path())).await.unwrap();
        let (session, token) = (client.session(), client.token());
        let mut asking = JoinSet::new();
        for mut direct in ready {
            asking.spawn(async move { direct.request(Request::Heartbeat { session, token }).await.unwrap() });
        }
        // On the way to the sockets: what is asked later is a weaker question, and no mistake.
        sleep(Duration::from_millis(50)).await;
        triad.resume(Primary).unwrap();
        while let Some(reply) = asking.join_next().await {
            let reply = reply.unwrap();
            assert!(matches!(reply, Reply::NotMaster(_) | Reply::Alive { .. }), "round {round}: {reply:?}");
        }
        client.close().await.unwrap();
        wait_until_master(&triad, Primary).await;
    }
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, []);
}

/// A client that speaks with the primary and nobody else, and never asks twice.
struct Sleeper {
    direct: Direct,
    session: SessionId,
    token: Token,
}

impl Sleeper {
    async fn connect(triad: &LocalTriad, number: u8) -> Sleeper {
        let direct = Direct::connect(&triad.address(Primary), &TcpDial).await.unwrap();
        let mut direct = direct.with_answer_limit(PATIENCE);
        let token = Token([number; 16]);
        let identity = Identity {
            user: "sleeper".to_owned(),
            host: "desk".to_owned(),
            display: ":0".to_owned(),
            pid: std::process::id(),
            project: String::new(),
        };
        match direct.request(Request::OpenSession { token, identity }).await.unwrap() {
            Reply::Answer(Answer { outcome: Outcome::SessionOpened { session }, .. }) => {
                Sleeper { direct, session, token }
            }
            other => panic!("no session: {other:?}"),
        }
    }

    async fn checkout(&mut self) -> Reply {
        let request = Request::Call {
            session: self.session,
            token: self.token,
            request: RequestId(1),
            acknowledged: RequestId(0),
            action: Action::Checkout {
                vendor: None,
                feature: "f2".to_owned(),
                version: "1.0".to_owned(),
                seats: Seats(1),
            },
        };
        self.direct.request(request).await.unwrap()
    }

    async fn close(mut self) {
        let request = Request::CloseSession { session: self.session, token: self.token };
        self.direct.request(request).await.unwrap();
    }
}
