//! What openraft would believe of anybody, and our servers believe of nobody: forged votes, entries, snapshots and
//! hellos, over TCP, from strangers, from a peer that speaks for another, and from one that speaks for itself. Each is
//! refused, nothing is applied, no term changes, and the triad goes on.

use std::time::Duration;

use licensing_core::command::{Command, Proposal};
use licensing_core::id::{Role, Timestamp};
use licensing_core::state::State;
use licensing_raft::testing::forge::{Claim, Forged, HelloWords, Impostor, Reaction, hello_frame};
use licensing_raft::testing::wire::MAX_PEER_FRAME;
use licensing_raft::{NodeConfig, PeerKey};
use licensing_tests::compiled;
use licensing_tests::hostile::triad::{Holdings, TcpTriad};
use licensing_tests::process::PATIENCE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use Role::{Primary, Secondary, Tertiary};

fn key(byte: &str) -> PeerKey {
    PeerKey::parse(&byte.repeat(32)).unwrap()
}

async fn triad() -> TcpTriad {
    TcpTriad::start(Some(key("5a"))).await
}

/// An entry that would give away seats nobody has paid for.
fn seats_for_nothing() -> Vec<u8> {
    let license =
        "SERVER alpha ANY 27000\nVENDOR demo\nFEATURE f1 demo 1.0 permanent 666 SIGN=0\n".to_owned();
    Proposal { at: Timestamp(0), command: Command::Install(compiled(&license).into()) }.to_bytes()
}

/// What wiped, hijacked or killed three nodes without these checks, said in the name of `node`; `last` is the last
/// entry of the triad.
fn attacks(node: u64, last: (u64, u64)) -> Vec<(&'static str, Forged)> {
    let claim = |term| Claim { term, node, elected: true };
    let candidate = |term| Claim { elected: false, ..claim(term) };
    let campaign = |term, leader_agrees| Forged::Vote {
        claim: candidate(term),
        last: Some((term, u64::MAX)),
        only_ask: false,
        leader_agrees,
    };
    let next = (1000, last.1 + 1);
    vec![
        ("a vote of term 1000", campaign(1000, false)),
        ("a vote of term 1000 that the leader is said to want", campaign(1000, true)),
        ("a vote of the last term there is", campaign(u64::MAX, true)),
        (
            "an entry that is said to be committed",
            Forged::Append {
                claim: claim(1000),
                behind: Some(last),
                entries: vec![(next, Some(seats_for_nothing()))],
                commit: Some(next),
            },
        ),
        (
            "entries with gaps and an absurd commit",
            Forged::Append {
                claim: claim(1000),
                behind: None,
                entries: vec![((1000, 50), None), ((1000, 40), None)],
                commit: Some((1000, u64::MAX)),
            },
        ),
        (
            "a heartbeat of the last term there is",
            Forged::Append { claim: claim(u64::MAX), behind: None, entries: vec![], commit: None },
        ),
        (
            "an empty snapshot of no members",
            Forged::Snapshot {
                claim: claim(1000),
                last: Some((1000, u64::MAX - 1)),
                members: vec![],
                state: State::new().to_bytes(),
            },
        ),
        ("new members", Forged::Members { claim: claim(1000), behind: last, members: vec![1, 2, 99] }),
        ("a handover", Forged::Transfer { claim: claim(1000), to: 2 }),
    ]
}

/// Everything as it was, and still at work.
async fn unharmed(triad: &mut TcpTriad, before: &Holdings, what: &str) {
    assert_eq!(&triad.holdings().await, before, "after {what}");
}

fn last(holdings: &Holdings) -> (u64, u64) {
    holdings.views[0].applied.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_speaks_for_another_is_refused() {
    let mut triad = triad().await;
    let before = triad.holdings().await;
    let config = triad.config(Secondary).clone();
    for to in [Primary, Tertiary] {
        let mut secondary = triad.impostor(&config, to).await.unwrap();
        for node in [Primary.number(), Tertiary.number(), 0, 99, u64::MAX] {
            for (what, forged) in attacks(node, last(&before)) {
                let expected = Reaction::Refused(format!("the secondary speaks for server {node}"));
                assert_eq!(secondary.say(&forged).await, expected, "{what} to the {to}");
            }
        }
        let report = Forged::Survey { role: Primary, clock: 0, version: String::new(), readmitted: 0 };
        let expected = Reaction::Refused("the secondary speaks for server 1".to_owned());
        assert_eq!(secondary.say(&report).await, expected);
        unharmed(&mut triad, &before, "lies about who speaks").await;
    }
    triad.still_decides().await;
    triad.stop().await;
}

/// Words of its own that no honest peer says, and why they are refused.
fn absurdities(own: u64, before: &Holdings) -> Vec<(Forged, &'static str)> {
    let (term, index) = last(before);
    let next_term = before.views[0].term + 1;
    let leader = Claim { term: next_term, node: own, elected: true };
    let candidate = Claim { elected: false, ..leader };
    let append = |claim, behind, entries, commit| Forged::Append { claim, behind, entries, commit };
    let vote = |claim| Forged::Vote {
        claim,
        last: Some((next_term, u64::MAX)),
        only_ask: false,
        leader_agrees: true,
    };
    let snapshot = |claim, last, members: &[u64]| Forged::Snapshot {
        claim,
        last: Some(last),
        members: members.to_vec(),
        state: State::new().to_bytes(),
    };
    let end_of_time = Claim { term: u64::MAX, ..leader };
    let entry = |term, index| ((term, index), None);
    vec![
        (vote(Claim { elected: false, ..end_of_time }), "is too far ahead of term"),
        (append(end_of_time, None, vec![], None), "is too far ahead of term"),
        (
            append(leader, None, vec![entry(1, 50), entry(1, 40)], None),
            "entry 50 stands where entry 0 belongs",
        ),
        (append(leader, Some((term, index)), vec![entry(next_term, index + 2)], None), "belongs"),
        (append(leader, Some((1, u64::MAX)), vec![entry(1, u64::MAX)], None), "stands where"),
        (
            append(leader, Some((term, index)), vec![entry(next_term + 1, index + 1)], None),
            "later than its leader's",
        ),
        (append(leader, None, vec![], Some((next_term + 1, 0))), "later than its leader's term"),
        (append(leader, Some((next_term + 1, 0)), vec![], None), "later than its leader's term"),
        (append(candidate, Some((term, index)), vec![], None), "is not elected"),
        (vote(leader), "says that it is elected"),
        (snapshot(leader, (next_term, index + 1), &[]), "its members are"),
        (snapshot(leader, (next_term, index + 1), &[1, 2, 99]), "its members are"),
        (snapshot(leader, (next_term, index + 1), &[own]), "its members are"),
        (snapshot(leader, (next_term + 1, index + 1), &[1, 2, 3]), "later than its leader's term"),
        (snapshot(candidate, (next_term, index + 1), &[1, 2, 3]), "is not elected"),
        // Newer by its term and older by its index: it would take back what was committed.
        (snapshot(leader, (next_term, index.saturating_sub(1)), &[1, 2, 3]), "contradicts"),
        (Forged::Members { claim: leader, behind: (term, index), members: vec![own] }, "its members are"),
        (Forged::Found([0; 16]), "already has a history"),
        (
            Forged::Survey { role: Secondary, clock: 0, version: "x".repeat(1 << 20), readmitted: 0 },
            "longer than any report",
        ),
        (
            Forged::Survey { role: Secondary, clock: 0, version: String::new(), readmitted: 100_000 },
            "longer than any report",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_speaks_for_itself_is_not_believed_everything() {
    let mut triad = triad().await;
    let before = triad.holdings().await;
    let config = triad.config(Secondary).clone();
    for to in [Primary, Tertiary] {
        let mut secondary = triad.impostor(&config, to).await.unwrap();
        for (forged, why) in absurdities(Secondary.number(), &before) {
            let reaction = secondary.say(&forged).await;
            assert!(
                matches!(&reaction, Reaction::Refused(said) if said.contains(why)),
                "the {to} was told {forged:?}: {reaction:?}, expected: {why}"
            );
        }
        unharmed(&mut triad, &before, "absurdities").await;
    }
    triad.still_decides().await;
    triad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_come_only_from_a_server_that_names_the_same_triad() {
    let mut triad = triad().await;
    let before = triad.holdings().await;
    let config = triad.config(Secondary).clone();
    let mut nameless = triad.stranger(&config, Primary, None).await.unwrap();
    let leader = Claim { term: before.views[0].term + 1, node: Secondary.number(), elected: true };
    let entry = ((leader.term, last(&before).1 + 1), None);
    let append =
        Forged::Append { claim: leader, behind: Some(last(&before)), entries: vec![entry], commit: None };
    // Not refused: a server that had nothing when it said hello must be brought to say it anew.
    let reaction = nameless.say(&append).await;
    assert!(matches!(reaction, Reaction::Closed(_)), "{reaction:?}");
    let Err(refusal) = triad.stranger(&config, Primary, Some([9; 16])).await else { panic!("it was let in") };
    assert!(refusal.contains("the data directories belong to different triads"), "{refusal}");
    unharmed(&mut triad, &before, "entries of strangers").await;
    triad.still_decides().await;
    triad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_whose_clock_is_absurd_is_outvoted() {
    let mut triad = triad().await;
    let config = triad.config(Tertiary).clone();
    for clock in [0, 1 << 63, (1 << 63) - 1, u64::MAX] {
        let mut tertiary = triad.impostor(&config, Primary).await.unwrap();
        let report = Forged::Survey { role: Tertiary, clock, version: "0".to_owned(), readmitted: 0 };
        assert!(matches!(tertiary.say(&report).await, Reaction::Taken(_)), "clock {clock}");
        triad.still_decides().await;
        let [year_2020, year_2200] = [1_577_836_800_000, 7_258_118_400_000];
        let clock = triad.node(Primary).look(State::clock).0;
        assert!((year_2020..year_2200).contains(&clock), "the triad's clock shows {clock}");
    }
    triad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_listened_to() {
    let mut triad = triad().await;
    let before = triad.holdings().await;
    let honest = triad.config(Secondary).clone();
    for peer_key in [None, Some(key("5b"))] {
        let mut stranger: NodeConfig = honest.clone();
        stranger.peer_key = peer_key;
        let met = triad.impostor(&stranger, Primary).await.err();
        let expected = "the peer does not know the peer key: give all three servers the same key file";
        assert_eq!(met.as_deref(), Some(expected));
    }
    // Without a hello, and behind one without a proof: not even an answer.
    let hello = hello_frame(&honest, |_| {});
    let welcome = triad.rubbish(Primary, &hello, false).await;
    for (_, forged) in attacks(Secondary.number(), last(&before)) {
        let content = forged.to_bytes(0);
        let frame = [&(content.len() as u32).to_be_bytes()[..], &content].concat();
        assert_eq!(triad.rubbish(Primary, &frame, false).await, b"");
        let answer = triad.rubbish(Primary, &[&hello[..], &frame].concat(), false).await;
        assert_eq!(answer.len(), welcome.len(), "more than the welcome was answered");
    }
    unharmed(&mut triad, &before, "strangers").await;
    triad.still_decides().await;
    triad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_honest_peer_said_cannot_be_said_again() {
    let mut triad = triad().await;
    let before = triad.holdings().await;
    // The secondary itself, with somebody listening on the wire.
    let (near, mut wire) = tokio::io::duplex(64 << 10);
    let to = triad.address(Primary);
    let tap = tokio::spawn(async move {
        let mut server = TcpStream::connect(to).await.unwrap();
        let mut recorded = Vec::new();
        let (mut buffer, mut answer) = ([0; 4096], [0; 4096]);
        loop {
            tokio::select! {
                read = wire.read(&mut buffer) => match read {
                    Ok(length @ 1..) => {
                        recorded.extend_from_slice(&buffer[..length]);
                        server.write_all(&buffer[..length]).await.unwrap();
                    }
                    _ => return recorded,
                },
                read = server.read(&mut answer) => match read {
                    Ok(length @ 1..) => wire.write_all(&answer[..length]).await.unwrap(),
                    _ => return recorded,
                },
            }
        }
    });
    let config = triad.config(Secondary).clone();
    let mut secondary = Impostor::meet(near, &config, Primary, None, [9; 32]).await.unwrap();
    let report = Forged::Survey { role: Secondary, clock: 0, version: "said once".to_owned(), readmitted: 0 };
    assert!(matches!(secondary.say(&report).await, Reaction::Taken(_)));
    drop(secondary);
    let recorded = tap.await.unwrap();
    // The preamble is sent by whoever replays.
    let hello_length = hello_frame(&config, |_| {}).len();
    let welcome = triad.rubbish(Primary, &recorded[4..4 + hello_length], false).await;
    let answer = triad.rubbish(Primary, &recorded[4..], false).await;
    assert!(recorded.len() > 4 + hello_length + 36, "the proof and the report were recorded");
    assert_eq!(answer.len(), welcome.len(), "a repeated proof was accepted");
    unharmed(&mut triad, &before, "a replay").await;
    triad.still_decides().await;
    triad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_that_is_none_ends_the_connection() {
    let mut triad = triad().await;
    let before = triad.holdings().await;
    let config = triad.config(Secondary).clone();
    let hello = hello_frame(&config, |_| {});
    for length in (0..hello.len()).step_by(7) {
        assert_eq!(triad.rubbish(Primary, &hello[..length], false).await, b"", "{length} bytes");
    }
    let announced = |length: u32| [&length.to_be_bytes()[..], &hello[4..]].concat();
    let one_more = [&announced(hello.len() as u32 - 3)[..], &[0]].concat();
    let mut of_server_99 = hello.clone();
    // Behind the length and the two versions.
    of_server_99[6] = 98;
    for (what, bytes) in [
        ("one byte too many", one_more),
        ("of a server that cannot be", of_server_99),
        ("of four gigabytes", announced(u32::MAX)),
        ("longer than any hello", announced((16 << 10) + 1)),
        ("of nothing", announced(0)),
    ] {
        // What is too long is refused when its length is read: nobody waits for the rest.
        assert_eq!(triad.rubbish(Primary, &bytes, true).await, b"", "a hello {what}");
    }
    for (says, forge) in [
        ("speaks peer protocols 2 to 3", (|words| words.protocols = (2, 3)) as fn(&mut HelloWords)),
        ("the SERVER lines differ", |words| words.triad = "another".to_owned()),
        ("the servers follow different rules", |words| words.rules = "none".to_owned()),
    ] {
        let answer = triad.rubbish(Primary, &hello_frame(&config, forge), true).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains(says), "expected: {says}, found: {answer}");
    }
    unharmed(&mut triad, &before, "bad hellos").await;
    triad.still_decides().await;
    triad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_a_proven_peer_are_judged_one_by_one() {
    let mut triad = triad().await;
    let before = triad.holdings().await;
    let config = triad.config(Secondary).clone();
    let report = Forged::Survey { role: Secondary, clock: 0, version: "1".to_owned(), readmitted: 0 };
    let whole = report.to_bytes(0);
    let trailing = [&whole[..], &[0]].concat();
    for (what, content) in [
        ("a byte too many", trailing),
        ("a byte too few", whole[..whole.len() - 1].to_vec()),
        ("nothing", vec![]),
        ("noise", vec![0xfd; 300]),
    ] {
        let mut secondary = triad.impostor(&config, Primary).await.unwrap();
        assert!(matches!(secondary.say(&report).await, Reaction::Taken(_)));
        let reaction = secondary.say_bytes(content).await;
        assert!(matches!(reaction, Reaction::Closed(_)), "{what}: {reaction:?}");
    }
    // Longer than a frame may be: the sender's own limit would stop it, so the length goes past it.
    let mut secondary = triad.impostor(&config, Primary).await.unwrap();
    let reaction = secondary.announce(MAX_PEER_FRAME as u32 + 1).await;
    assert!(matches!(reaction, Reaction::Closed(_)), "{reaction:?}");
    unharmed(&mut triad, &before, "bad frames").await;
    triad.still_decides().await;
    triad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_hellos_are_cut_off_and_keep_no_peer_out() {
    let mut triad = triad().await;
    let address = triad.address(Primary);
    // Far more than there are places for peers, each sending a byte now and then.
    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..60 {
        slow.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"\0LSP\0\0\0\x80").await.unwrap();
            let (mut read, mut write) = stream.into_split();
            let drip = async {
                while write.write_all(&[0]).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            let mut nothing = Vec::new();
            tokio::select! {
                _ = read.read_to_end(&mut nothing) => {}
                () = drip => {}
            }
            assert_eq!(nothing, b"");
        });
    }
    let config = triad.config(Secondary).clone();
    let mut met = 0;
    while met < 20 {
        triad.impostor(&config, Primary).await.expect("a peer that is quick is let in at once");
        met += 1;
    }
    let cut = async { while slow.join_next().await.transpose().unwrap().is_some() {} };
    timeout(PATIENCE, cut).await.expect("a slow hello is cut off");
    triad.still_decides().await;
    triad.stop().await;
}
