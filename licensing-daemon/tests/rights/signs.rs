//! Signs of life are in no state, so no digest shows who gives one. A session shows it: it ends, or it does not.

use std::collections::BTreeMap;
use std::time::Duration;

use licensing_client::protocol::{Reply, Request, ServerMessage};
use licensing_core::id::{SessionId, Token};
use licensing_core::state::State;

use crate::askers::Right;
use crate::rows::{Named, Row, rows};
use crate::site::{LONG, Site};
use crate::support::{Raw, wait_until};

const STRANGERS: Token = Token([0xff; 16]);

fn token(number: usize) -> Token {
    Token([number as u8; 16])
}

/// The rows that name a session, and do not end it.
fn of_a_session() -> impl Iterator<Item = Row> {
    let names = |row: &Row| row.own != row.gone || row.what == "open with the token";
    rows().into_iter().filter(move |row| names(row) && row.what != "close")
}

/// Asks all of it at once, and waits for the answers.
async fn ask_all(raw: &mut Raw, asked: &[Request]) -> Vec<Reply> {
    let mut places = BTreeMap::new();
    for (place, request) in asked.iter().enumerate() {
        places.insert(raw.send(request.clone()).await, place);
    }
    let mut replies = BTreeMap::new();
    while replies.len() < asked.len() {
        if let ServerMessage::Reply { id, reply } = raw.next().await.expect("the server closed") {
            replies.insert(places[&id], reply);
        }
    }
    replies.into_values().collect()
}

/// A session for each of these rows with what is asked in its name.
async fn sessions(
    site: &Site,
    rows: impl Iterator<Item = Row>,
    secret: impl Fn(Token) -> Token,
) -> Vec<(SessionId, &'static str, Request)> {
    let mut asked = Vec::new();
    for (number, row) in rows.enumerate() {
        let session = site.open(token(number)).await.id();
        let handle = licensing_core::id::Handle(1);
        let token = secret(token(number));
        let named = Named { session, token, handle, others: handle, others_token: token };
        asked.push((session, row.what, (row.ask)(&named)));
    }
    asked
}

/// Asks again and again until all these sessions have ended.
async fn none_lives(site: &Site, right: Right, asked: Vec<(SessionId, &'static str, Request)>) {
    let mut raw = right.connect(site.address).await;
    assert!(asked.len() >= 4, "only {} are asked", asked.len());
    let requests: Vec<Request> = asked.iter().map(|(_, _, request)| request.clone()).collect();
    wait_until(&format!("{right:?}: the sessions end"), async || {
        ask_all(&mut raw, &requests).await;
        let lives = |session| site.node.look(|state| state.holder(session).is_some());
        let living: Vec<&str> =
            asked.iter().filter(|(session, ..)| lives(*session)).map(|(_, what, _)| *what).collect();
        living.is_empty().then_some(())
    })
    .await;
}

const SHORT: Duration = Duration::from_millis(700);

/// Whatever is asked with a wrong token.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_no_sign_of_life() {
    let (site, _directory) = Site::new(SHORT).await;
    for right in [Right::Named("stranger"), Right::Local] {
        // Opened with a token that is not its own it is another session.
        let rows = of_a_session().filter(|row| row.what != "open with the token");
        let asked = sessions(&site, rows, |_| STRANGERS).await;
        none_lives(&site, right, asked).await;
    }
}

/// Nor what its owner may not ask.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_no_sign_of_life() {
    let (site, _directory) = Site::new(SHORT).await;
    let asked = sessions(&site, of_a_session().filter(|row| row.administrative), |own| own).await;
    none_lives(&site, Right::Named("its owner"), asked).await;
}

/// What its owner may ask is one, whatever it is. The session of somebody who fell silent shows that the grace is over.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_its_owner_asks_is_a_sign_of_life() {
    // Far above any pause of this process: nobody may be late here.
    const GRACE: Duration = Duration::from_secs(4);
    let (site, _directory) = Site::new(GRACE).await;
    let asked = sessions(&site, of_a_session().filter(|row| !row.administrative), |own| own).await;
    let silent = site.open(STRANGERS).await.id();
    let mut raw = Right::Named("its owner").connect(site.address).await;
    let requests: Vec<Request> = asked.iter().map(|(_, _, request)| request.clone()).collect();
    wait_until("the silent session ends", async || {
        ask_all(&mut raw, &requests).await;
        // Not all the time: an entry of a session that comes while its end is decided saves it, heard or not.
        tokio::time::sleep(GRACE / 10).await;
        site.node.look(|state| state.holder(silent).is_none()).then_some(())
    })
    .await;
    let lives = |session| site.node.look(|state| state.holder(session).is_some());
    let ended: Vec<&str> =
        asked.iter().filter(|(session, ..)| !lives(*session)).map(|(_, what, _)| *what).collect();
    assert_eq!(ended, Vec::<&str>::new(), "their clients asked all the time");
}

/// A session that is named and is not there is not listened for either: memory of the server's that anybody could fill.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_heard_of_who_is_not_there() {
    let (site, _directory) = Site::new(LONG).await;
    let named = |number: u64, row: &Row| {
        let (session, handle) = (SessionId((1 << 40) + number), licensing_core::id::Handle(1));
        let (token, others_token) = (STRANGERS, STRANGERS);
        (row.ask)(&Named { session, token, handle, others: handle, others_token })
    };
    let rows: Vec<Row> = of_a_session().filter(|row| row.what != "open with the token").collect();
    for right in [Right::Named("stranger"), Right::Local] {
        let mut raw = right.connect(site.address).await;
        let before = site.node.metrics().heard_of;
        for number in 0..30 {
            let asked: Vec<Request> = rows.iter().map(|row| named(number, row)).collect();
            ask_all(&mut raw, &asked).await;
        }
        assert_eq!(site.node.metrics().heard_of, before);
    }
    assert_eq!(site.node.look(State::session_count), 0);
}
