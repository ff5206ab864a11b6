//! What callers are told, and what they are not told because nobody knows.

mod scripted;

use std::time::Duration;

use licensing_client::protocol::{MAX_UNANSWERED, Reply, Request, StatusFilter};
use licensing_client::{ClientEvent, ConnectError, RequestError};
use licensing_core::command::Action;
use licensing_core::id::{Handle, Role, Seats};
use licensing_core::outcome::{Denial, Outcome};
use scripted::{
    HEARTBEAT_MS, SESSION, Stage, checkout, config, connected, connected_with, connecting, millis_since,
    settled, soon,
};
use tokio::time::{Instant, sleep};

use Role::{Primary, Secondary};

fn checkin(handle: u64) -> Action {
    Action::Checkin { handle: Handle(handle), owner: None }
}

#[tokio::test(start_paused = true)]
async fn a_request_says_what_was_asked_and_numbers_count_from_one() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    assert_eq!((peer.hello.to, peer.hello.software.as_str(), peer.hello.relay), (1, "test", false));
    let asking = tokio::spawn(client.checkout("editor").version("2.5").seats(3).send());
    let call = peer.call().await;
    let (feature, version) = ("editor".to_owned(), "2.5".to_owned());
    assert_eq!(call.action, Action::Checkout { vendor: None, feature, version, seats: Seats(3) });
    assert_eq!((call.request, call.acknowledged), (1, 0));
    peer.grant(&call, 50).await;
    let seats = asking.await.unwrap().unwrap();
    let giving_back = tokio::spawn(seats.checkin());
    let call = peer.call().await;
    assert_eq!((call.request, call.acknowledged, call.action), (2, 1, checkin(50)));
    peer.answer(call.id, Outcome::Returned { handle: Handle(50) }).await;
    giving_back.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_an_error_for_a_checkout_and_an_answer_for_a_call() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let denial = Denial::UnknownFeature { feature: "editor".to_owned() };
    let asking = tokio::spawn(client.checkout("editor").send());
    let call = peer.call().await;
    peer.answer(call.id, Outcome::Denied(denial.clone())).await;
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "no feature `editor` in the license file");
    assert_eq!(error, RequestError::Denied(denial.clone()));
    let asker = client.clone();
    let asking = tokio::spawn(async move { asker.call(checkout("editor", 1)).await });
    let call = peer.call().await;
    peer.answer(call.id, Outcome::Denied(denial.clone())).await;
    let answer = asking.await.unwrap().unwrap();
    assert_eq!((answer.index.0, answer.outcome), (100 + call.id, Outcome::Denied(denial)));
}

#[tokio::test(start_paused = true)]
async fn what_the_server_does_not_know_is_asked_again_with_the_same_number() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let asking = tokio::spawn(client.checkout("a").send());
    let begin = Instant::now();
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let call = peer.call().await;
        assert_eq!((call.request, call.acknowledged), (1, 0));
        pauses.push(millis_since(begin));
        peer.reply(call.id, Reply::Unknown("no quorum answered".to_owned())).await;
    }
    assert_eq!(pauses, [0, 10, 30, 70, 150, 310, 560]);
    let call = peer.call().await;
    peer.grant(&call, 50).await;
    assert_eq!(asking.await.unwrap().unwrap().detach(), Handle(50));
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_given_the_time_it_asks_for() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let asking = tokio::spawn(client.checkout("a").send());
    let call = peer.call().await;
    let begin = Instant::now();
    peer.reply(call.id, Reply::Busy { retry_after_ms: 700 }).await;
    let again = peer.call().await;
    assert_eq!((millis_since(begin), again.request), (700, 1));
    peer.reply(again.id, Reply::Busy { retry_after_ms: u64::MAX }).await;
    // Nothing else is sent for so long that a heartbeat is due.
    peer.heartbeat().await;
    let again = peer.call().await;
    assert_eq!(millis_since(begin), 5700);
    peer.grant(&again, 50).await;
    asking.await.unwrap().unwrap().detach();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_doubtful_try_is_unknown() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let ask = |on| {
        let client = client.clone();
        tokio::spawn(async move { client.call(Action::Maintain { role: Secondary, on }).await })
    };
    let asking = ask(true);
    let call = peer.call().await;
    peer.reply(call.id, Reply::Error("prove the admin key".to_owned())).await;
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "maintenance of the secondary was refused: prove the admin key");
    let asking = ask(false);
    let call = peer.call().await;
    peer.reply(call.id, Reply::Unknown("no quorum".to_owned())).await;
    let call = peer.call().await;
    peer.reply(call.id, Reply::Error("prove the admin key".to_owned())).await;
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "end of maintenance of the secondary may or may not have been done: prove the admin key"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_gone_is_lost_with_everything_in_it() {
    let stage = Stage::new();
    let ([mut primary, secondary, tertiary], path) = stage.triad();
    drop((secondary, tertiary));
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let mut events = client.events();
    let held = tokio::spawn(client.checkout("a").send());
    let call = peer.call().await;
    peer.grant(&call, 50).await;
    let held = held.await.unwrap().unwrap();
    let sent = tokio::spawn(client.checkout("b").send());
    peer.call().await;
    drop((peer, primary));
    settled().await;
    let unsent = tokio::spawn(client.checkout("c").send());
    settled().await;

    // The outage outlasted the grace.
    let mut primary = stage.server(Primary);
    let mut peer = primary.accept(Some(Primary)).await;
    let id = peer.heartbeat_unanswered().await;
    peer.reply(id, Reply::Gone).await;
    let error = sent.await.unwrap().unwrap_err();
    assert!(matches!(error, RequestError::Unknown { .. }), "{error}");
    // It was sent together with the heartbeat.
    assert!(matches!(unsent.await.unwrap(), Err(RequestError::Unknown { .. })));
    let lost = RequestError::SessionLost { session: SESSION };
    assert_eq!(client.checkout("d").await.unwrap_err(), lost);
    assert_eq!(held.checkin().await.unwrap_err(), lost);
    assert_eq!(lost.to_string(), "session 7 is gone and its seats with it: connect again");
    for _ in 0..2 {
        events.recv().await.unwrap();
    }
    assert_eq!(events.recv().await, Ok(ClientEvent::SessionLost));
    soon(async { while peer.receive().await.is_some() {} }, "the end of the connection").await;
    client.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_answered_with_no_such_session_was_not_done() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let asking = tokio::spawn(client.checkout("a").send());
    let call = peer.call().await;
    peer.answer(call.id, Outcome::Denied(Denial::UnknownSession { session: SESSION })).await;
    assert_eq!(asking.await.unwrap().unwrap_err(), RequestError::SessionLost { session: SESSION });
}

#[tokio::test(start_paused = true)]
async fn heartbeats_fill_the_silence_and_only_the_silence() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let begin = Instant::now();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    peer.heartbeat().await;
    assert_eq!(millis_since(begin), HEARTBEAT_MS);
    peer.heartbeat().await;
    assert_eq!(millis_since(begin), 2 * HEARTBEAT_MS);
    sleep(Duration::from_millis(1000)).await;
    let asking = tokio::spawn(client.checkout("a").send());
    let call = peer.call().await;
    peer.grant(&call, 50).await;
    asking.await.unwrap().unwrap().detach();
    peer.heartbeat().await;
    assert_eq!(millis_since(begin), 3 * HEARTBEAT_MS + 1000);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_checkout_goes_back() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let asking = tokio::spawn(client.checkout("a").send());
    let call = peer.call().await;
    peer.grant(&call, 50).await;
    drop(asking.await.unwrap().unwrap());
    let call = peer.call().await;
    assert_eq!((call.request, call.action), (2, checkin(50)));
    // Nobody waits for the answer, but it is repeated until there is one.
    peer.reply(call.id, Reply::Unknown("no quorum".to_owned())).await;
    let call = peer.call().await;
    assert_eq!((call.request, call.action), (2, checkin(50)));
    peer.answer(call.id, Outcome::Returned { handle: Handle(50) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_checkout_nobody_waits_for_any_more_goes_back() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let asking = tokio::spawn(client.checkout("a").send());
    let call = peer.call().await;
    asking.abort();
    let _ = asking.await;
    peer.grant(&call, 50).await;
    assert_eq!(peer.call().await.action, checkin(50));
}

#[tokio::test(start_paused = true)]
async fn seats_go_back_when_the_answer_and_the_end_of_waiting_cross() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let mut asking = Box::pin(client.checkout("a").send());
    assert!(futures_util::FutureExt::now_or_never(&mut asking).is_none());
    let call = peer.call().await;
    peer.grant(&call, 50).await;
    // The answer reaches the future's mailbox, and nobody opens it.
    settled().await;
    drop(asking);
    assert_eq!(peer.call().await.action, checkin(50));
}

#[tokio::test(start_paused = true)]
async fn a_request_given_up_before_it_was_sent_is_never_sent() {
    let stage = Stage::new();
    let ([mut primary, secondary, tertiary], path) = stage.triad();
    drop((secondary, tertiary));
    let (client, peer) = connected(&stage, &mut primary, path).await;
    drop((peer, primary));
    settled().await;
    let first = tokio::spawn(client.checkout("a").send());
    let second = tokio::spawn(client.checkout("b").send());
    settled().await;
    first.abort();
    let _ = first.await;
    let mut primary = stage.server(Primary);
    let mut peer = primary.accept(Some(Primary)).await;
    peer.heartbeat().await;
    let call = peer.call().await;
    assert_eq!((call.request, call.action.clone()), (1, checkout("b", 1)));
    peer.grant(&call, 50).await;
    second.await.unwrap().unwrap().detach();
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_under_way_than_answers_are_kept() {
    let stage = Stage::new();
    let ([mut primary, secondary, tertiary], path) = stage.triad();
    drop((secondary, tertiary));
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let asking: Vec<_> =
        (0..MAX_UNANSWERED + 1024).map(|_| tokio::spawn(client.checkout("a").send())).collect();
    let mut calls = Vec::new();
    for number in 1..=MAX_UNANSWERED as u64 {
        let call = peer.call().await;
        assert_eq!((call.request, call.acknowledged), (number, 0));
        calls.push(call);
    }
    let error = client.checkout("a").await.unwrap_err();
    assert!(matches!(error, RequestError::Busy { limit: 1088 }), "{error}");
    // All but the first are answered; the first holds the window.
    for call in &calls[1..] {
        peer.answer(call.id, Outcome::Denied(Denial::NoLicense)).await;
    }
    peer.heartbeat().await;
    peer.answer(calls[0].id, Outcome::Denied(Denial::NoLicense)).await;
    let next = peer.call().await;
    assert_eq!((next.request, next.acknowledged), (65, 64));
    drop(peer);
    asking.into_iter().for_each(|asked| asked.abort());
}

#[tokio::test(start_paused = true)]
async fn a_request_too_long_for_any_server_is_not_sent() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, _peer) = connected(&stage, &mut primary, path).await;
    let error = client.checkout("x".repeat(2 << 20)).await.unwrap_err();
    assert!(matches!(error, RequestError::TooLong { limit: 8192, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn opening_is_repeated_with_the_same_token_until_it_is_definite() {
    let stage = Stage::new();
    let ([mut primary, secondary, tertiary], path) = stage.triad();
    drop((secondary, tertiary));
    let connecting = connecting(&stage, config(path));
    let mut peer = primary.accept(Some(Primary)).await;
    let (id, first) = peer.request().await;
    peer.reply(id, Reply::Unknown("no quorum".to_owned())).await;
    let (_, second) = peer.request().await;
    assert_eq!(first, second);
    drop(peer);
    let mut peer = primary.accept(Some(Primary)).await;
    let (id, third) = peer.request().await;
    assert_eq!(first, third);
    peer.answer(id, Outcome::SessionOpened { session: SESSION }).await;
    assert_eq!(connecting.await.unwrap().unwrap().session(), SESSION);
}

#[tokio::test(start_paused = true)]
async fn a_session_may_be_denied() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let connecting = connecting(&stage, config(path));
    let mut peer = primary.accept(Some(Primary)).await;
    let (id, _) = peer.request().await;
    peer.answer(id, Outcome::Denied(Denial::TooManySessions { limit: 10 })).await;
    let error = connecting.await.unwrap().unwrap_err();
    assert!(matches!(error, ConnectError::Denied(Denial::TooManySessions { limit: 10 })), "{error}");
    peer.hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_master_connecting_ends_and_says_who_said_what() {
    let stage = Stage::new();
    let ([primary, mut secondary, tertiary], path) = stage.triad();
    drop((primary, tertiary));
    let connecting = connecting(&stage, {
        let mut config = config(path);
        config.connect_timeout = Duration::from_secs(3);
        config
    });
    let _standby = secondary.accept(None).await;
    let error = connecting.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "no license server answered as master within 3000 ms: 1@primary cannot be reached: connection refused; \
         2@secondary knows of no master; 3@tertiary cannot be reached: connection refused"
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_closes_the_session() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let asking = tokio::spawn(client.checkout("a").send());
    let call = peer.call().await;
    peer.grant(&call, 50).await;
    let seats = asking.await.unwrap().unwrap();
    drop(client);
    // The checkout keeps its session.
    peer.heartbeat().await;
    drop(seats);
    assert_eq!(peer.call().await.action, checkin(50));
    peer.close_session().await;
    peer.hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_answer_and_ends_at_a_deadline() {
    let stage = Stage::new();
    let ([mut primary, secondary, tertiary], path) = stage.triad();
    drop((secondary, tertiary));
    let (client, peer) = connected(&stage, &mut primary, path).await;
    drop((peer, primary));
    let begin = Instant::now();
    let error = client.close().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "closing the session may or may not have been done: no definite answer came within 5000 ms"
    );
    assert_eq!(millis_since(begin), 5000);
}

#[tokio::test(start_paused = true)]
async fn a_status_in_pages_survives_a_failover() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], path) = stage.triad();
    let (client, mut peer) = connected_with(&stage, &mut primary, config(path)).await;
    let asker = client.clone();
    let asking = tokio::spawn(async move { asker.status(StatusFilter::default()).await });
    let (_, request) = peer.request().await;
    assert_eq!(request, Request::Status { filter: StatusFilter::default(), after: None });
    drop((peer, primary));
    let mut peer = secondary.accept(Some(Secondary)).await;
    peer.heartbeat().await;
    let (id, again) = peer.request().await;
    assert_eq!(again, request);
    peer.reply(id, Reply::Error("no license file".to_owned())).await;
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the status query was refused: no license file");
}
