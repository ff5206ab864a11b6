//! What is refused takes nothing from others: no place of a connection, no permit of a proposal, no handle, no number.

use licensing_client::framing::encode_frame;
use licensing_client::protocol::{
    Hello, MAX_HELLO_BYTES, MAX_UNANSWERED, PREAMBLE, Reply, Request, ServerMessage, StatusFilter, Welcome,
};
use licensing_core::state::State;
use licensing_daemon::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::askers::{Right, Standing, long, relayed};
use crate::rows::rows;
use crate::site::{LONG, Site, left};
use crate::support::{Raw, bytes, wait_until};

/// Refused this often.
const OFTEN: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_refused_requests_leave_everything_as_free_as_it_was() {
    let (site, _directory) = Site::new(LONG).await;
    let named = Standing::WrongToken.prepare(&site).await;
    let mut raw = Right::Named("stranger").connect(site.address).await;
    let administrative: Vec<Request> =
        rows().iter().filter(|row| row.administrative).map(|row| (row.ask)(&named)).collect();
    let before = site.node.state();
    for round in 0..OFTEN {
        let reply = raw.ask(administrative[round % administrative.len()].clone()).await;
        assert!(matches!(reply, Reply::Error(_)), "{reply:?}");
    }
    assert_eq!(left(&before, &site.node.state()), '=', "not even the log has heard of it");

    // Those that the log must decide: it alone grows, by one entry each.
    let decided = |row: &&crate::rows::Row| row.wrong.starts_with("WrongToken") && !row.administrative;
    let decided: Vec<Request> = rows().iter().filter(decided).map(|row| (row.ask)(&named)).collect();
    for round in 0..OFTEN {
        let reply = raw.ask(decided[round % decided.len()].clone()).await;
        assert_eq!(crate::rows::kind(&reply), "WrongToken");
    }
    let after = site.node.state();
    assert_eq!(left(&before, &after), '~');
    assert_eq!(after.last_index().0, before.last_index().0 + OFTEN as u64);
    assert_eq!(site.node.metrics().proposals, 0, "permits were kept");

    // Nor does it leave holes in what names the next one.
    let (session, handle) = site.holder(crate::rows::NEWCOMER).await;
    assert_eq!((session.0, handle.0), (after.last_index().0 + 1, after.last_index().0 + 2));

    // As many requests as before are under way on the same connection.
    let status = Request::Status { filter: StatusFilter::default(), after: None };
    for _ in 0..MAX_UNANSWERED {
        raw.send(status.clone()).await;
    }
    for _ in 0..MAX_UNANSWERED {
        let message = raw.next().await;
        assert!(matches!(message, Some(ServerMessage::Reply { reply: Reply::Status(_), .. })), "{message:?}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_refused_connections_leave_every_place_free() {
    const PLACES: usize = 4;
    let directory = tempfile::tempdir().unwrap();
    let mut limits = Limits::default();
    (limits.connections, limits.undecided) = (PLACES, PLACES);
    let site = Site::on(directory.path(), LONG, limits).await;
    let begins = |hello: &Hello| [&PREAMBLE[..], &encode_frame(hello).unwrap()].concat();
    let newer = begins(&Hello { from: 9, to: 9, ..Hello::new("newer") });
    let refused: [(&str, Vec<u8>); 5] = [
        ("too long", begins(&long(MAX_HELLO_BYTES + 1))),
        ("of no role", {
            // `relayed_by` is the last but one byte
            let mut hello = begins(&relayed("x"));
            let place = hello.len() - 2;
            hello[place] = 9;
            hello
        }),
        ("cut off", newer[..newer.len() - 3].to_vec()),
        ("of nobody", b"\0LSX".to_vec()),
        ("of a version that nobody speaks", newer.clone()),
    ];
    for round in 0..OFTEN {
        let (what, begins) = &refused[round % refused.len()];
        if *what == "cut off" {
            let mut stream = TcpStream::connect(site.address).await.unwrap();
            stream.write_all(begins).await.unwrap();
        } else if *what == "of a version that nobody speaks" {
            // Whoever was before it may still be seen off.
            wait_until("a refusal", async || (bytes(site.address, begins).await.len() > 4).then_some(()))
                .await;
        } else {
            assert_eq!(bytes(site.address, begins).await, b"", "a hello {what}");
        }
    }
    let mut places = Vec::new();
    while places.len() < PLACES {
        let raw = wait_until("a free place", async || {
            let raw = Raw::connect(site.address).await;
            matches!(raw.welcome, Welcome::Ready { .. }).then_some(raw)
        });
        places.push(raw.await);
    }
    for raw in &mut places {
        let status = Request::Status { filter: StatusFilter::default(), after: None };
        assert!(matches!(raw.ask(status).await, Reply::Status(_)));
    }
    assert_eq!(site.node.look(State::session_count), 0);
    drop(places);
    site.stop().await;
}
