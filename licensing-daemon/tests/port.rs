//! The one port: who may speak there, how much, and what happens to everybody else. Every test ends by asking the
//! server whether it is still well.

mod support;

use std::collections::HashSet;
use std::net::SocketAddr;

use licensing_client::AdminKey;
use licensing_client::protocol::{
    Hello, MAX_UNANSWERED, PROTOCOL_VERSIONS, Refusal, Reply, Request, ServerMessage, StatusFilter, Welcome,
};
use licensing_core::command::{Action, Identity, Removal};
use licensing_core::id::{Handle, RequestId, Role, Seats, SessionId, Token};
use licensing_core::outcome::{Answer, Outcome};
use support::{FEATURES, Raw, TestTriad, bytes, read_to_end, refusal, text, wait_until};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const HELLO: Hello =
    Hello { from: 1, to: 1, software: String::new(), relay: false, relayed_by: None, more: Vec::new() };

fn status() -> Request {
    Request::Status { filter: StatusFilter::default(), after: None }
}

async fn alone() -> (TestTriad, SocketAddr) {
    let triad = TestTriad::start_some(&[Role::Secondary], FEATURES, |_| {}).await;
    let address = triad.address(Role::Secondary);
    (triad, address)
}

async fn is_well(address: SocketAddr) {
    assert!(text(address, "STATUS\r\n").await.starts_with("license server "));
    assert!(matches!(Raw::connect(address).await.ask(status()).await, Reply::Status(_)));
}

#[tokio::test]
async fn a_line_of_text_is_answered_with_a_line() {
    let (_triad, address) = alone().await;
    assert_eq!(
        text(address, "STATUS\r\n").await,
        "license server DOWN (NO QUORUM) v0.1.0 role=secondary\r\n"
    );
    assert_eq!(text(address, "GET / HTTP/1.1\r\n").await, "ERROR unknown request, try STATUS\r\n");
    is_well(address).await;
}

#[tokio::test]
async fn only_the_master_is_up_and_the_others_name_it() {
    let triad = TestTriad::start(FEATURES, |_| {}).await;
    let master = triad.address(Role::Primary);
    let answer = |role| text(triad.address(role), "STATUS\r\n");
    assert_eq!(answer(Role::Primary).await, "license server UP (MASTER) v0.1.0 role=primary\r\n");
    for role in [Role::Secondary, Role::Tertiary] {
        let expected = format!("license server DOWN (STANDBY) v0.1.0 role={role} master={master}\r\n");
        wait_until("the standby's word", async || (answer(role).await == expected).then_some(())).await;
    }
}

#[tokio::test]
async fn garbage_is_cut_off_and_the_server_goes_on() {
    let (_triad, address) = alone().await;
    let long_line = [b'x'; 4000];
    for garbage in [
        &b"\xff\xff\xff\xff"[..],
        b"\0LSX....",
        // a TLS hello
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        // a hello of four gigabytes, and one that does not decode
        b"\0LSC\xff\xff\xff\xff",
        b"\0LSC\0\0\0\x03\x01\xff\xff",
        &long_line,
    ] {
        assert_eq!(bytes(address, garbage).await, b"", "{garbage:02x?}");
    }
    is_well(address).await;
}

#[tokio::test]
async fn a_frame_of_four_gigabytes_after_the_welcome_ends_the_connection() {
    let (_triad, address) = alone().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut opening = b"\0LSC".to_vec();
    opening.extend(licensing_client::framing::encode_frame(&HELLO).unwrap());
    opening.extend([0xff; 8]);
    stream.write_all(&opening).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    let length = u32::from_be_bytes(answer[..4].try_into().unwrap()) as usize;
    assert_eq!(answer.len(), 4 + length, "the welcome and nothing more");
    is_well(address).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_after_two_seconds() {
    let (_triad, address) = alone().await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"\0LSC\0\0").await.unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(read_to_end(&mut silent).await, b"");
    assert_eq!(read_to_end(&mut slow).await, b"");
    assert!(begun.elapsed().as_millis() >= 1500, "{:?}", begun.elapsed());
    is_well(address).await;
}

#[tokio::test]
async fn another_protocol_version_is_told_ours() {
    let (_triad, address) = alone().await;
    let newer = Hello { from: 9, to: 9, ..Hello::new("test") };
    let refused = Welcome::Refused(Refusal::Version { from: PROTOCOL_VERSIONS.0, to: PROTOCOL_VERSIONS.1 });
    assert_eq!(Raw::connect_as(address, newer).await.welcome, refused);
    is_well(address).await;
}

#[tokio::test]
async fn the_connection_limit_holds_and_places_come_back() {
    let triad =
        TestTriad::start_some(&[Role::Secondary], FEATURES, |config| config.limits.connections = 2).await;
    let address = triad.address(Role::Secondary);
    let first = Raw::connect(address).await;
    let _second = Raw::connect(address).await;
    let refused = Welcome::Refused(Refusal::TooManyConnections { limit: 2 });
    assert_eq!(Raw::connect(address).await.welcome, refused);
    assert!(text(address, "STATUS\r\n").await.starts_with("license server "), "text is not counted");
    drop(first);
    wait_until("a free place", async || {
        let raw = Raw::connect(address).await;
        matches!(raw.welcome, Welcome::Ready { .. }).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_silent_connections_pushes_out_its_own_oldest() {
    let triad =
        TestTriad::start_some(&[Role::Secondary], FEATURES, |config| config.limits.undecided = 2).await;
    let address = triad.address(Role::Secondary);
    let begun = std::time::Instant::now();
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    for stream in &mut silent[..8] {
        assert_eq!(read_to_end(stream).await, b"");
    }
    assert!(
        begun.elapsed().as_millis() < 1500,
        "they were not pushed out, they timed out: {:?}",
        begun.elapsed()
    );
    is_well(address).await;
}

/// Whoever has said hello is none of those who may be pushed out: neither a client nor one that is passed on to the master.
#[tokio::test]
async fn newcomers_push_out_nobody_who_has_said_hello() {
    let triad = TestTriad::start(FEATURES, |config| config.limits.undecided = 2).await;
    let standby = triad.address(Role::Tertiary);
    wait_until("a standby that relays", async || {
        let raw = Raw::connect_as(standby, Hello { relay: true, ..HELLO }).await;
        (raw.whereabouts().role == Role::Primary).then_some(())
    })
    .await;
    let mut here = Vec::new();
    for relay in [true, false, true, false, true, false] {
        here.push(Raw::connect_as(standby, Hello { relay, ..HELLO }).await);
    }
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(standby).await.unwrap());
    }
    for stream in &mut silent[..8] {
        assert_eq!(read_to_end(stream).await, b"");
    }
    for raw in &mut here {
        assert!(matches!(raw.ask(status()).await, Reply::Status(_)));
    }
    is_well(standby).await;
}

#[tokio::test]
async fn more_requests_than_are_answered_at_once_are_all_answered() {
    let (_triad, address) = alone().await;
    let mut raw = Raw::connect(address).await;
    let mut open = HashSet::new();
    for _ in 0..4 * MAX_UNANSWERED {
        open.insert(raw.send(status()).await);
    }
    while !open.is_empty() {
        match raw.next().await.expect("closed") {
            ServerMessage::Reply { id, reply: Reply::Status(_) } => {
                assert!(open.remove(&id), "{id} answered twice")
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A hello as a standby sends it when it relays: its connection comes from this machine, its client may not.
fn stranger() -> Hello {
    Hello { relayed_by: Some(Role::Secondary), ..HELLO }
}

fn administrative() -> [Request; 3] {
    let call = Request::Call {
        session: SessionId(1),
        token: Token([0; 16]),
        request: RequestId(1),
        acknowledged: RequestId(0),
        action: Action::Remove(Removal::Handle(Handle(1))),
    };
    [Request::Reread, Request::Shutdown { hand_over: true }, call]
}

#[tokio::test]
async fn strangers_may_not_administer() {
    let (_triad, address) = alone().await;
    let mut raw = Raw::connect_as(address, stranger()).await;
    for request in administrative() {
        let words = refusal(raw.ask(request).await);
        assert_eq!(
            words,
            "you are not an administrator of this server: ask over the loopback, or start the servers \
             with --admin-key FILE"
        );
    }
    let words = refusal(raw.ask(Request::Authenticate { proof: [0; 32] }).await);
    assert_eq!(words, "this server has no admin key: start it with --admin-key FILE");
    is_well(address).await;
}

#[tokio::test]
async fn the_name_of_a_program_gives_and_takes_no_right() {
    let (_triad, address) = alone().await;
    let software = "licensectl; relayed by the secondary".to_owned();
    let mut local = Raw::connect_as(address, Hello { software: software.clone(), ..HELLO }).await;
    assert!(matches!(local.ask(Request::Reread).await, Reply::NotMaster(_)), "allowed, but not here");
    let mut relayed = Raw::connect_as(address, Hello { software, ..stranger() }).await;
    refusal(relayed.ask(Request::Reread).await);
}

#[tokio::test]
async fn the_admin_key_makes_an_administrator() {
    let key = AdminKey::from_bytes([7; 32]);
    let given = key.clone();
    let mut triad =
        TestTriad::start_some(&[Role::Secondary], FEATURES, |config| config.admin_key = Some(given.clone()))
            .await;
    let address = triad.address(Role::Secondary);

    let mut raw = Raw::connect_as(address, stranger()).await;
    let words = refusal(raw.ask(Request::Reread).await);
    assert!(words.contains("licensectl --admin-key"), "{words}");
    for _ in 0..3 {
        let words = refusal(raw.ask(Request::Authenticate { proof: [0; 32] }).await);
        assert_eq!(words, "wrong admin key: use the key this server was started with");
    }
    let proof = key.proof(&raw.challenge());
    let words = refusal(raw.ask(Request::Authenticate { proof }).await);
    assert!(words.contains("too many wrong proofs"), "{words}");

    let mut raw = Raw::connect_as(address, stranger()).await;
    let proof = key.proof(&raw.challenge());
    assert!(matches!(raw.ask(Request::Authenticate { proof }).await, Reply::Done(_)));
    assert!(matches!(raw.ask(Request::Reread).await, Reply::NotMaster(_)), "allowed, but not here");
    assert_eq!(
        raw.ask(Request::Shutdown { hand_over: false }).await,
        Reply::Done("the secondary stops".to_owned())
    );
    triad.take(Role::Secondary).ended().await.unwrap();
}

#[tokio::test]
async fn a_standby_relays_to_the_master_when_asked_to() {
    let triad = TestTriad::start(FEATURES, |_| {}).await;
    let address = triad.address(Role::Tertiary);
    let relayed = wait_until("a relayed connection", async || {
        let raw = Raw::connect_as(address, Hello { relay: true, ..HELLO }).await;
        (raw.whereabouts().role == Role::Primary).then_some(raw)
    });
    let mut raw = relayed.await;
    assert!(raw.whereabouts().is_master());
    let identity = Identity {
        user: "ann".to_owned(),
        host: "h".to_owned(),
        display: "d".to_owned(),
        pid: 1,
        project: String::new(),
    };
    match raw.ask(Request::OpenSession { token: Token([1; 16]), identity }).await {
        Reply::Answer(answer) => {
            assert!(matches!(answer.outcome, Outcome::SessionOpened { .. }), "{answer:?}")
        }
        other => panic!("{other:?}"),
    }
    let words = refusal(raw.ask(Request::Shutdown { hand_over: true }).await);
    assert!(words.starts_with("you are not an administrator"), "a relayed client is a stranger: {words}");
    // Without the wish the standby names the master and keeps to itself.
    let raw = Raw::connect(address).await;
    assert_eq!(raw.whereabouts().role, Role::Tertiary);
    assert_eq!(raw.whereabouts().master.as_ref().unwrap().port, triad.address(Role::Primary).port());
}

#[tokio::test]
async fn every_client_is_told_when_the_master_moves() {
    let mut triad = TestTriad::start(FEATURES, |_| {}).await;
    let tertiary = triad.address(Role::Tertiary);
    let mut raw = wait_until("a tertiary that knows the master", async || {
        let raw = Raw::connect(tertiary).await;
        raw.whereabouts().master.is_some().then_some(raw)
    })
    .await;
    triad.take(Role::Primary).stop().await.unwrap();
    loop {
        match raw.next().await.expect("closed") {
            ServerMessage::Moved(whereabouts) => match whereabouts.master {
                Some(master) if master.role == Role::Secondary => break,
                _ => continue,
            },
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_long_status_comes_in_pages() {
    const HELD: usize = 2_100;
    let triad = TestTriad::start("FEATURE f1 demo 1.0 permanent 5000 SIGN=0\n", |_| {}).await;
    let server = triad.address(Role::Primary);
    let address = licensing_client::ServerAddress::new(server.ip().to_string(), server.port());
    let path = licensing_client::SearchPath::server(address);
    let client = licensing_client::Client::connect(licensing_client::ClientConfig::new(path)).await.unwrap();
    let mut taking = tokio::task::JoinSet::new();
    for worker in 0..60 {
        let client = client.clone();
        taking.spawn(async move {
            let mut held = Vec::new();
            for _ in (worker..HELD).step_by(60) {
                held.push(client.checkout("f1").await.unwrap());
            }
            held
        });
    }
    let held = taking.join_all().await;
    let mut raw = Raw::connect(server).await;
    let Reply::Status(first) = raw.ask(status()).await else { panic!("no status") };
    assert_eq!(first.checkouts.len(), 2_000);
    let filter = StatusFilter::default();
    let Reply::Status(rest) = raw.ask(Request::Status { filter, after: first.more }).await else {
        panic!("no status")
    };
    assert_eq!((rest.checkouts.len(), rest.more), (HELD - 2_000, None));
    assert!(rest.checkouts[0].handle > first.checkouts[1_999].handle);
    assert!(rest.servers.is_empty(), "only the first page carries more than checkouts");
    drop(held);
    client.close().await.unwrap();
}

/// Whatever is asked for and however small the pages: together they are what is on one page, in its order.
#[tokio::test]
async fn a_filtered_status_has_each_row_on_one_page() {
    // Pools of several features between each other, some of a feature that nobody else has.
    let features: String = "faabfabafffb"
        .chars()
        .zip(1..)
        .map(|(name, number)| format!("INCREMENT {name} demo {number}.0 permanent 5 SIGN=0\n"))
        .collect();
    for rows in [1, 2, 3, 5, 100] {
        let triad = TestTriad::start(&features, |config| config.limits.page_rows = rows).await;
        let mut raw = Raw::connect(triad.address(Role::Primary)).await;
        hold(&mut raw, &["f", "a", "f", "b", "f", "a", "f"]).await;
        let (pools, checkouts) = walk(&mut raw, None).await;
        assert_eq!((pools.len(), checkouts.len()), (12, 7), "{rows} rows");
        for feature in ["a", "b", "f", "none"] {
            let of = |all: &[(String, u64)]| -> Vec<(String, u64)> {
                all.iter().filter(|(name, _)| name == feature).cloned().collect()
            };
            let expected = (of(&pools), of(&checkouts));
            assert_eq!(walk(&mut raw, Some(feature)).await, expected, "{feature}, {rows} rows");
        }
    }
}

/// Seats of these features, one of each, in a session of their own.
async fn hold(raw: &mut Raw, features: &[&str]) {
    let text = String::new;
    let identity = Identity { user: text(), host: text(), display: text(), pid: 1, project: text() };
    let token = Token([1; 16]);
    let opened = wait_until("a license", async || {
        match raw.ask(Request::OpenSession { token, identity: identity.clone() }).await {
            Reply::Answer(Answer { outcome: Outcome::SessionOpened { session }, .. }) => Some(session),
            _ => None,
        }
    });
    let session = opened.await;
    for (request, feature) in (1..).zip(features) {
        let action = Action::checkout(None, (*feature).to_owned(), "1".to_owned(), Seats(1), Vec::new());
        let (request, acknowledged) = (RequestId(request), RequestId(request - 1));
        let reply = raw.ask(Request::Call { session, token, request, acknowledged, action }).await;
        assert!(
            matches!(&reply, Reply::Answer(Answer { outcome: Outcome::Granted { .. }, .. })),
            "{reply:?}"
        );
    }
}

/// The pools and the checkouts on all pages of a status: of which feature, and which.
async fn walk(raw: &mut Raw, feature: Option<&str>) -> (Vec<(String, u64)>, Vec<(String, u64)>) {
    let (mut pools, mut checkouts, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let filter = StatusFilter { feature: feature.map(str::to_owned), without_checkouts: false };
        let Reply::Status(page) = raw.ask(Request::Status { filter, after }).await else {
            panic!("no status")
        };
        pools.extend(page.features.into_iter().map(|row| (row.name, u64::from(row.pool.0))));
        checkouts.extend(page.checkouts.into_iter().map(|row| (row.feature, row.handle.0)));
        after = page.more;
        if after.is_none() {
            return (pools, checkouts);
        }
    }
}
