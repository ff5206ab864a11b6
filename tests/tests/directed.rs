//! Scenarios in virtual time in which a certain moment is what matters: the same steps, to the microsecond, on every
//! machine.

use std::sync::Arc;
use std::time::Duration;

use licensing_client::framing::{FrameReader, FrameWriter, write_preamble};
use licensing_client::protocol::{
    ClientMessage, Hello, MAX_UNANSWERED, Reply, Request, ServerMessage, Welcome,
};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{RequestId, Role, Seats, SessionId, Token};
use licensing_core::outcome::{Answer, Outcome};
use licensing_raft::Timings;
use licensing_tests::simulation::host::pace;
use licensing_tests::simulation::nodes::GRACE;
use licensing_tests::simulation::{End, Kind, Service, Site, Triad, play};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};
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

/// Both ways between two servers.
fn between(one: Role, other: Role) -> [(End, End); 2] {
    let (one, other) = (End::Server(one), End::Server(other));
    [(one, other), (other, one)]
}

fn serves(site: &Site<Triad>, role: Role) -> bool {
    site.awake(role).is_some_and(|server| server.node().mastership().borrow().serving)
}

fn nobody() -> Identity {
    let word = String::new;
    Identity { user: word(), host: word(), display: word(), pid: 1, project: word() }
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
        let away: Vec<_> = Primary.others().into_iter().flat_map(|other| between(Primary, other)).collect();
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
    let violations = play(Triad::default(), 6, move |site: Arc<Site<Triad>>| async move {
        until_master(&site, Primary).await;
        site.network.cut(Primary.others().into_iter().flat_map(|other| between(Primary, other)));
        until_master(&site, Secondary).await;
        let node = site.awake(Secondary).expect("it is master").node().clone();
        let session = node.open_session(Token([7; 16]), nobody(), None).await.expect("it is master").id();
        site.crash(Secondary).await;
        site.crash(Tertiary).await;
        site.host(Tertiary).disk().wipe();
        // What the secondary sent is still under way, and would tell the primary that it is of the past.
        site.network.mend(between(Primary, Tertiary));
        site.start(Tertiary).await;
        sleep(Duration::from_secs(3)).await;
        assert_eq!(site.service.master(&site.servers()), None, "the tertiary had lost its disk");
        site.network.mend(between(Primary, Secondary));
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

/// Clocks run as far apart as is promised: a lease lasts longest for the master that is cut off, and is over first for whoever
/// wants to follow it. Its margin is what lies between.
#[test]
fn a_slow_master_that_is_cut_off_has_stopped_serving_before_fast_standbys_have_another() {
    let apart = |seed: &u64| {
        pace(*seed, Primary) <= 960 && pace(*seed, Secondary) >= 1040 && pace(*seed, Tertiary) >= 1000
    };
    let lease = Duration::from_millis(Timings::default().lease_ms);
    for (step, seed) in (0..).zip((1..).filter(apart).take(25)) {
        let violations = play(Triad::default(), seed, move |site: Arc<Site<Triad>>| async move {
            until_master(&site, Primary).await;
            // Sooner or later after the last heartbeat.
            sleep(Duration::from_secs(1) + Duration::from_millis(2 * step)).await;
            site.network.cut(Primary.others().into_iter().flat_map(|other| between(Primary, other)));
            let cut = Instant::now();
            let mut served = Duration::ZERO;
            while !serves(&site, Secondary) {
                assert!(cut.elapsed() < PATIENCE, "the secondary is not master, seed {seed}");
                if serves(&site, Primary) {
                    served = cut.elapsed();
                }
                sleep(Duration::from_micros(200)).await;
            }
            assert!(!serves(&site, Primary), "two masters after {:?}, seed {seed}", cut.elapsed());
            // What it counts itself, since it heard from anybody.
            let counted = served * pace(seed, Primary) / 1000;
            assert!(counted <= lease * 9 / 10, "a lease less its margin is not {counted:?}, seed {seed}");
        });
        assert_eq!(violations, [], "seed {seed}");
    }
}

/// The primary does not hear that it shall take over, once. That is held against it for a moment and not for good.
#[test]
fn a_handover_that_failed_is_tried_again() {
    let violations = play(Triad::default(), 2, move |site: Arc<Site<Triad>>| async move {
        until_master(&site, Primary).await;
        site.crash(Primary).await;
        until_master(&site, Secondary).await;
        site.start(Primary).await;
        while handovers_of(&site, Secondary) == 0 {
            sleep(Duration::from_micros(50)).await;
        }
        site.pause(Primary);
        let counts = || site.awake(Secondary).expect("it runs").node().counts();
        while counts().handovers_taken_back == 0 {
            assert!(!serves(&site, Primary), "nothing failed");
            sleep(Duration::from_millis(1)).await;
        }
        until_master(&site, Secondary).await;
        site.resume(Primary);
        until_master(&site, Primary).await;
        assert!(handovers_of(&site, Secondary) >= 2);
    });
    assert_eq!(violations, []);
}

/// Nobody could give it a sign of life meanwhile, for a grace or for less: whoever was heard shortly before still has a
/// whole one.
#[test]
fn a_server_that_stood_still_gives_every_session_a_grace_from_then_on() {
    for tenths in [2, 5, 8, 12] {
        let stood = GRACE * tenths / 10;
        let violations = play(Triad::of(Kind::Single), 8, move |site: Arc<Site<Triad>>| async move {
            until_master(&site, Primary).await;
            let node = site.awake(Primary).expect("it is master").node().clone();
            let session = node.open_session(Token([7; 16]), nobody(), None).await.expect("it is master").id();
            let lives = || node.look(|state| state.sessions().any(|known| known == session));
            // Silent for more than a grace in all, and for less than one that it could have been heard in.
            sleep(GRACE.saturating_sub(stood / 2)).await;
            site.pause(Primary);
            sleep(stood).await;
            site.resume(Primary);
            sleep(GRACE * 9 / 10).await;
            assert!(lives(), "ended too early, it stood still for {stood:?}");
            sleep(GRACE / 2).await;
            assert!(!lives(), "still there, it stood still for {stood:?}");
        });
        assert_eq!(violations, [], "{stood:?}");
    }
}

/// What has arrived and is more than may be under way waits in the connection, however fast it came.
#[test]
fn one_connection_has_no_more_under_way_than_it_may() {
    let violations = play(Triad::default(), 9, move |site: Arc<Site<Triad>>| async move {
        until_master(&site, Primary).await;
        let mut client = Raw::connect(&site).await;
        let session = client.open().await;
        // Nothing is decided from here on.
        site.network.cut(Primary.others().into_iter().flat_map(|other| between(Primary, other)));
        for request in 1..=4 * MAX_UNANSWERED as u64 {
            client.queue(call(session, request));
        }
        client.writer.flush().await.expect("the server reads");
        let mut most = 0;
        for _ in 0..100 {
            sleep(Duration::from_millis(1)).await;
            most = most.max(site.awake(Primary).expect("it runs").node().metrics().proposals);
        }
        assert_eq!(most, MAX_UNANSWERED);
    });
    assert_eq!(violations, []);
}

fn call(session: SessionId, request: u64) -> Request {
    let (feature, version) = ("f1".to_owned(), "1".to_owned());
    let action = Action::checkout(None, feature, version, Seats(1), Vec::new());
    let (request, acknowledged) = (RequestId(request), RequestId(request - 1));
    Request::Call { session, token: Token([7; 16]), request, acknowledged, action }
}

/// A client that says what it likes.
struct Raw {
    reader: FrameReader<ReadHalf<DuplexStream>>,
    writer: FrameWriter<WriteHalf<DuplexStream>>,
    id: u64,
}

impl Raw {
    async fn connect(site: &Site<Triad>) -> Raw {
        let mut stream = site.network.connect(End::Client(1), Primary).await.expect("it listens");
        write_preamble(&mut stream).await.expect("the server reads");
        let (read, write) = tokio::io::split(stream);
        let mut raw = Raw { reader: FrameReader::new(read), writer: FrameWriter::new(write), id: 0 };
        raw.writer.queue(&Hello::new("by hand")).expect("it is short");
        raw.writer.flush().await.expect("the server reads");
        let welcome = raw.reader.next::<Welcome>("welcome").await.expect("a welcome");
        assert!(matches!(welcome, Some(Welcome::Ready { .. })), "{welcome:?}");
        raw
    }

    fn queue(&mut self, request: Request) {
        self.id += 1;
        self.writer.queue(&ClientMessage { id: self.id, request }).expect("it is short");
    }

    /// Opens a session as soon as the server is master for good.
    async fn open(&mut self) -> SessionId {
        loop {
            self.queue(Request::OpenSession { token: Token([7; 16]), identity: nobody() });
            self.writer.flush().await.expect("the server reads");
            let reply = self.reply().await;
            if let Reply::Answer(Answer { outcome: Outcome::SessionOpened { session }, .. }) = reply {
                return session;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn reply(&mut self) -> Reply {
        loop {
            match self.reader.next::<ServerMessage>("answer").await.expect("an answer") {
                Some(ServerMessage::Reply { reply, .. }) => return reply,
                Some(_) => {}
                None => panic!("closed"),
            }
        }
    }
}
