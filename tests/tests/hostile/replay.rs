//! What cannot be said again. Two servers talk, somebody on the wire between them writes all of it down, and says it again: whole
//! conversations to either end, single frames at another time and in another place. Nothing of it is believed, the connection
//! is closed with a reason, and the two go on talking.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use licensing_core::id::Role;
use licensing_core::license::License;
use licensing_raft::testing::forge::hello_frame;
use licensing_raft::testing::wire::introduced;
use licensing_raft::{Node, NodeConfig, PeerKey, ServerAddress};
use licensing_tests::hostile::tap::{Conversation, Meddling, Tap, Way};
use licensing_tests::hostile::triad::{Holdings, TcpTriad};
use licensing_tests::process::{PATIENCE, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use Role::{Primary, Secondary, Tertiary};

const LOG_LANE: &str = "Log";
const CONTROL_LANE: &str = "Control";

/// Why a connection is closed on which something comes a second time.
const FORGED: &str = "the authentication code of a frame is wrong";
/// Why nobody is let in who says a hello that was said before.
const NO_PROOF: &str = "the peer does not know the peer key";

/// One test at a time: what a server logs does not say of which triad it is.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What the servers have logged.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How often this was logged.
fn logged(words: &str) -> usize {
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).matches(words).count()
}

fn key() -> Option<PeerKey> {
    Some(PeerKey::parse(&"5a".repeat(32)).unwrap())
}

/// How many frames there are in these bytes.
fn frames(bytes: &[u8]) -> usize {
    let Some((length, rest)) = bytes.split_first_chunk() else { return 0 };
    let length = u32::from_be_bytes(*length) as usize;
    rest.get(length..).map_or(0, |rest| 1 + frames(rest))
}

/// A triad with somebody on the wire on which the master dials the secondary.
struct Tapped {
    triad: TcpTriad,
    tap: Tap,
    before: Holdings,
}

impl Tapped {
    async fn new() -> Tapped {
        // Only the first of these tests succeeds.
        let log = tracing_subscriber::fmt().with_ansi(false).with_env_filter("licensing_raft=debug");
        let _ = log.with_writer(|| Log).try_init();
        let mut tap = None;
        let mut triad = TcpTriad::start_with(key(), |config| {
            if config.role == Primary {
                let on_the_way = Tap::before(&config.servers[Secondary.place()]);
                config.servers[Secondary.place()] = on_the_way.address();
                tap = Some(on_the_way);
            }
        })
        .await;
        let tap = tap.expect("the primary is among the three");
        triad.still_decides().await;
        // From here on both say of which triad they are: whatever is heard could be said again.
        tap.cut().await;
        let before = triad.holdings().await;
        Tapped { triad, tap, before }
    }

    /// A conversation of this lane with so many frames each way, that goes on.
    async fn conversation(&mut self, lane: &str, frames: usize) -> (usize, Conversation) {
        let begun = Instant::now();
        loop {
            self.triad.decide().await;
            let found = self.tap.conversations().into_iter().enumerate().rfind(|(_, said)| said.lane == lane);
            if let Some((place, said)) = found
                && !said.ended
                && said.authenticated(Way::There) >= frames
                && said.authenticated(Way::Back) >= frames
            {
                return (place, said);
            }
            assert!(begun.elapsed() < PATIENCE, "the {lane} lane is not used");
        }
    }

    /// Nobody's mastership, nobody's state has suffered, and the two talk.
    async fn goes_on(&mut self) {
        for lane in [LOG_LANE, CONTROL_LANE] {
            self.conversation(lane, 2).await;
        }
        self.triad.still_decides().await;
        let now = self.triad.holdings().await;
        let [then, now] = [&self.before, &now].map(|holdings| {
            let seen = |view: &licensing_raft::testing::forge::RaftView| {
                (view.term, view.leader, view.voters.clone())
            };
            holdings.views.iter().map(seen).collect::<Vec<_>>()
        });
        assert_eq!(then, now, "the mastership moved");
    }

    /// Meddles with a frame, and waits until the connection is closed for it.
    async fn meddle(&mut self, lane: &str, way: Way, meddling: Meddling) {
        let what = match &meddling {
            Meddling::Foreign(other) => format!("a frame of another connection, of its {} lane", other.lane),
            other => format!("{other:?}"),
        };
        let what = format!("{what}, {way:?} on the {lane} lane");
        let (place, _) = self.conversation(lane, 3).await;
        let refused = logged(FORGED);
        self.tap.meddle(lane, way, meddling);
        let begun = Instant::now();
        let said = loop {
            self.triad.decide().await;
            let said = self.tap.conversations().swap_remove(place);
            if said.ended {
                break said;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: the connection is not closed");
        };
        let untouched = said.untouched.expect("somebody has meddled");
        if way == Way::There {
            let answered = said.authenticated(Way::Back);
            assert!(answered <= untouched, "{what}: {answered} answers to {untouched} requests");
        }
        wait_until(&format!("{what}: the reason is logged"), async || {
            (logged(FORGED) > refused).then_some(())
        })
        .await;
        assert_eq!(logged(FORGED), refused + 1, "{what}");
        self.goes_on().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_said_lets_nobody_in_who_says_it_again() {
    let _alone = ALONE.lock().await;
    let mut tapped = Tapped::new().await;
    let refused = logged(NO_PROOF);
    for lane in [LOG_LANE, CONTROL_LANE] {
        let (_, said) = tapped.conversation(lane, 20).await;
        let connections = tapped.tap.conversations().len();
        for to in [Secondary, Tertiary] {
            for _ in 0..20 {
                let answer = tapped.triad.rubbish(to, &said.bytes(Way::There), true).await;
                // A connection that is closed before all was read may lose the welcome, too.
                assert!(frames(&answer) <= 1, "the {to} answered more than the welcome");
            }
        }
        // Said to the one who said it.
        let hello = &said.bytes(Way::There)[..4 + said.said(Way::There)[0].len()];
        let answer = tapped.triad.rubbish(Primary, hello, true).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("two servers claim to be the primary"), "{answer}");
        // None of it has taken the place of the connection that it was said on.
        assert_eq!(tapped.tap.conversations().len(), connections, "the two had to connect anew");
    }
    // Each of the two says so once a minute.
    wait_until("the reason is logged", async || (logged(NO_PROOF) >= refused + 2).then_some(())).await;
    tapped.goes_on().await;
    tapped.triad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_answered_deceives_nobody_who_dials_again() {
    const DIALS: usize = 5;
    let _alone = ALONE.lock().await;
    let mut tapped = Tapped::new().await;
    for lane in [LOG_LANE, CONTROL_LANE] {
        let (_, said) = tapped.conversation(lane, 20).await;
        let refused = logged(NO_PROOF);
        tapped.tap.answer(said.bytes(Way::Back)).await;
        let begun = Instant::now();
        while tapped.tap.answered() < DIALS {
            tapped.triad.decide().await;
            assert!(begun.elapsed() < PATIENCE, "the master does not dial again");
        }
        // Behind its hello it says nothing, not even a proof.
        let frames = tapped.tap.connect();
        assert!(frames.iter().all(|frames| *frames == 1), "{frames:?} frames were said to a stranger");
        assert!(logged(NO_PROOF) > refused, "no reason is logged");
        tapped.goes_on().await;
    }
    tapped.triad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_believed_once_and_in_its_place() {
    let _alone = ALONE.lock().await;
    let mut tapped = Tapped::new().await;
    for way in [Way::There, Way::Back] {
        for meddling in [
            Meddling::Repeat,
            Meddling::Again(1),
            Meddling::Again(300),
            Meddling::LeaveOut,
            Meddling::Swap,
            Meddling::Reflect,
        ] {
            tapped.meddle(LOG_LANE, way, meddling).await;
        }
        for meddling in [Meddling::Repeat, Meddling::Reflect] {
            tapped.meddle(CONTROL_LANE, way, meddling).await;
        }
    }
    tapped.triad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_one_connection_is_none_of_another() {
    let _alone = ALONE.lock().await;
    let mut tapped = Tapped::new().await;
    let (_, log) = tapped.conversation(LOG_LANE, 20).await;
    let (_, control) = tapped.conversation(CONTROL_LANE, 20).await;
    for way in [Way::There, Way::Back] {
        for (lane, other) in
            [(LOG_LANE, &log), (LOG_LANE, &control), (CONTROL_LANE, &log), (CONTROL_LANE, &control)]
        {
            // So that frames of the same number are still to come.
            tapped.tap.cut().await;
            tapped.meddle(lane, way, Meddling::Foreign(other.clone())).await;
        }
    }
    tapped.triad.stop().await;
}

/// What a server says hello with when it dials: it is heard and not answered.
async fn collect(listener: TcpListener, nonces: &Mutex<Vec<[u8; 32]>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let hello = async {
            let mut preamble = [0; 4];
            stream.read_exact(&mut preamble).await.ok()?;
            let mut content = vec![0; stream.read_u32().await.ok()? as usize];
            stream.read_exact(&mut content).await.ok()?;
            introduced(&content)
        };
        // Whoever stops in the middle of it has said nothing.
        if let Some(said) = hello.await {
            nonces.lock().unwrap_or_else(PoisonError::into_inner).push(said.nonce);
        }
    }
}

/// What it answers a hello with.
async fn welcome(node: &Node, listener: &TcpListener, hello: &[u8]) -> [u8; 32] {
    let address = listener.local_addr().unwrap();
    let (dialed, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let mut stream = dialed.unwrap();
    node.accept_peer(accepted.unwrap().0, "a collector".to_owned());
    stream.write_all(hello).await.unwrap();
    let mut content = vec![0; stream.read_u32().await.unwrap() as usize];
    stream.read_exact(&mut content).await.unwrap();
    introduced(&content).expect("a welcome").nonce
}

#[tokio::test(flavor = "multi_thread")]
async fn no_nonce_comes_twice_not_even_after_a_restart() {
    const ACCEPTED: usize = 1500;
    const DIALED: usize = 150;
    let _alone = ALONE.lock().await;
    let data = tempfile::tempdir().unwrap();
    let others =
        [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let servers = [27001, 27002, 27003].map(|port| format!("SERVER h ANY {port}\n")).concat();
    let lines = format!("{servers}VENDOR demo\nFEATURE f1 demo 1.0 permanent 1 SIGN=0\n");
    let license = License::parse(&lines).unwrap();
    let config = |role: Role| {
        let mut config = NodeConfig::from_license(&license, role, data.path().join(role.name())).unwrap();
        config.peer_key = key();
        let ports = [&others[0], &listener, &others[1]].map(|listener| listener.local_addr().unwrap().port());
        config.servers = ports.map(|port| ServerAddress::new("127.0.0.1", port)).to_vec();
        config
    };
    let (secondary, hello) = (config(Secondary), hello_frame(&config(Primary), |_| {}));
    let dialed = Mutex::new(Vec::new());
    let [one, two] = others;
    let accepting = async {
        let mut accepted = Vec::new();
        for start in 1..=2 {
            let node = Node::start(secondary.clone()).await.unwrap();
            for _ in 0..ACCEPTED {
                accepted.push(welcome(&node, &listener, &hello).await);
            }
            let count = || dialed.lock().unwrap_or_else(PoisonError::into_inner).len();
            wait_until("enough hellos", async || (count() >= start * DIALED).then_some(())).await;
            node.stop(false).await;
        }
        accepted
    };
    let accepted = tokio::select! {
        accepted = accepting => accepted,
        () = collect(one, &dialed) => unreachable!("it listens"),
        () = collect(two, &dialed) => unreachable!("it listens"),
    };
    let dialed = dialed.into_inner().unwrap();
    let twice = |nonces: &[[u8; 32]]| nonces.len() - nonces.iter().collect::<BTreeSet<_>>().len();
    let (welcomes, hellos) = (twice(&accepted), twice(&dialed));
    let all = twice(&[accepted, dialed].concat());
    assert_eq!((welcomes, hellos, all), (0, 0, 0), "so many welcomes, hellos, and of both came twice");
}
