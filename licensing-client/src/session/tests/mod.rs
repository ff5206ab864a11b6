//! The session by hand, and against a model of a server under random losses.

mod model;

use std::cell::Cell;
use std::rc::Rc;

use licensing_core::id::{LogIndex, Role, Seats, Timestamp};
use licensing_core::outcome::Outcome;

use super::*;
use crate::protocol::{ClientMessage, Reply, Request};

const HEARTBEAT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(60);
const SESSION: SessionId = SessionId(7);
const TOKEN: Token = Token([5; 16]);

/// A caller that can be told to give up.
#[derive(Debug, Clone)]
struct Caller {
    name: u64,
    gave_up: Rc<Cell<bool>>,
}

impl Waiter for Caller {
    fn gave_up(&self) -> bool {
        self.gave_up.get()
    }
}

fn caller(name: u64) -> Caller {
    Caller { name, gave_up: Rc::default() }
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn checkout(feature: &str) -> Action {
    Action::Checkout { vendor: None, feature: feature.to_owned(), version: "1.0".to_owned(), seats: Seats(1) }
}

fn answer(outcome: Outcome) -> Reply {
    Reply::Answer(Answer { index: LogIndex(1), at: Timestamp(1), outcome })
}

fn granted(handle: u64) -> Reply {
    answer(Outcome::Granted { handle: Handle(handle), seats: Seats(1) })
}

fn new() -> Session<Caller> {
    let text = str::to_owned;
    Session::new(
        TOKEN,
        Identity { user: text("u"), host: text("h"), display: text("d"), pid: 1, project: String::new() },
        TIMEOUT,
    )
}

/// A session that was opened at time 0 and has nothing to say.
fn open() -> Session<Caller> {
    let mut session = new();
    session.connected(at(0), HEARTBEAT, None);
    let message = session.next_message(at(0)).unwrap();
    assert!(matches!(message.request, Request::OpenSession { token: TOKEN, .. }));
    session.receive(at(0), message.id, answer(Outcome::SessionOpened { session: SESSION }));
    assert!(matches!(session.poll_event(), Some(SessionEvent::Opened(SESSION))));
    assert!(matches!(session.poll_event(), Some(SessionEvent::Confirmed)));
    assert_eq!(said(&mut session, at(0)), Vec::<String>::new());
    session
}

/// Everything the session has to say now, in short: `call 2 after 1`, `heartbeat`.
fn said(session: &mut Session<Caller>, now: Duration) -> Vec<String> {
    std::iter::from_fn(|| session.next_message(now)).map(|message| in_short(&message)).collect()
}

fn in_short(message: &ClientMessage) -> String {
    match &message.request {
        Request::Call { request, acknowledged, .. } => format!("call {request} after {acknowledged}"),
        Request::OpenSession { .. } => "open".to_owned(),
        Request::Heartbeat { .. } => "heartbeat".to_owned(),
        Request::Authenticate { .. } => "authenticate".to_owned(),
        Request::CloseSession { .. } => "close".to_owned(),
        Request::Status { after, .. } => format!("status after {after:?}"),
        other => format!("{other:?}"),
    }
}

/// What callers were told, by name.
fn told(session: &mut Session<Caller>) -> Vec<(u64, Result<Payload, RequestError>)> {
    let mut told = Vec::new();
    while let Some(event) = session.poll_event() {
        if let SessionEvent::Delivered { waiter, result } = event {
            told.push((waiter.name, result));
        }
    }
    told
}

#[test]
fn after_a_reconnect_a_heartbeat_goes_first_then_what_is_in_doubt_then_what_is_new() {
    let mut session = open();
    for name in 1..=3 {
        session.submit(at(1), checkout("a"), caller(name));
    }
    let first = session.next_message(at(1)).unwrap();
    assert_eq!(said(&mut session, at(1)), ["call 2 after 0", "call 3 after 0"]);
    session.receive(at(2), first.id, granted(10));
    session.disconnected(at(3));
    session.submit(at(4), checkout("b"), caller(4));
    assert_eq!(said(&mut session, at(4)), Vec::<String>::new());
    session.connected(at(5), HEARTBEAT, None);
    assert_eq!(
        said(&mut session, at(5)),
        ["heartbeat", "call 2 after 1", "call 3 after 1", "call 4 after 1"]
    );
}

#[test]
fn nothing_overtakes_the_proof_of_the_admin_key() {
    let mut session = open();
    session.submit(at(1), checkout("a"), caller(1));
    session.disconnected(at(1));
    session.connected(at(2), HEARTBEAT, Some([1; 32]));
    let proof = session.next_message(at(2)).unwrap();
    assert_eq!(in_short(&proof), "authenticate");
    assert_eq!(said(&mut session, at(2)), Vec::<String>::new());
    assert_eq!(session.silent_since(), Some(at(2)));
    session.receive(at(3), proof.id, Reply::Done(String::new()));
    assert_eq!(said(&mut session, at(3)), ["heartbeat", "call 1 after 0"]);
}

#[test]
fn acknowledged_stops_before_the_first_open_request() {
    let mut session = open();
    for name in 1..=4 {
        session.submit(at(0), checkout("a"), caller(name));
    }
    let ids: Vec<u64> =
        std::iter::from_fn(|| session.next_message(at(0))).map(|message| message.id).collect();
    for (place, acknowledged) in [(3, 0), (1, 0), (0, 2), (2, 4)] {
        session.receive(at(1), ids[place], granted(place as u64));
        assert_eq!(session.acknowledged(), RequestId(acknowledged));
    }
    assert_eq!(session.unanswered(), 0);
}

/// Otherwise a client that may not administer would have used up its numbers after so many tries.
#[test]
fn a_refused_request_is_over_and_acknowledged() {
    let mut session = open();
    let mut before = 0;
    for name in 1..=2 * MAX_UNANSWERED as u64 {
        session.submit(at(1), Action::Maintain { role: Role::Primary, on: true }, caller(name));
        let message = session.next_message(at(1)).unwrap();
        assert_eq!(in_short(&message), format!("call {name} after {before}"));
        session.receive(at(1), message.id, Reply::Error("you are not an administrator".to_owned()));
        assert!(
            matches!(told(&mut session)[..], [(told, Err(RequestError::Refused { .. }))] if told == name)
        );
        assert_eq!(session.unanswered(), 0);
        before = name;
    }
    assert_eq!(session.next_due(at(1)).map(|due| due > at(1)), Some(true), "nothing is left to be done now");
}

#[test]
fn a_standby_is_sent_nothing_more_but_listened_to() {
    let mut session = open();
    session.submit(at(0), checkout("a"), caller(1));
    session.submit(at(0), checkout("a"), caller(2));
    let first = session.next_message(at(0)).unwrap();
    let second = session.next_message(at(0)).unwrap();
    let whereabouts = Whereabouts { role: Role::Primary, master: None };
    session.receive(at(1), first.id, Reply::NotMaster(whereabouts.clone()));
    assert!(matches!(session.poll_event(), Some(SessionEvent::NotMaster(named)) if named == whereabouts));
    session.suspend();
    session.submit(at(1), checkout("a"), caller(3));
    assert_eq!(said(&mut session, at(1)), Vec::<String>::new());
    session.receive(at(2), second.id, granted(11));
    assert!(matches!(told(&mut session)[..], [(2, Ok(_))]));
    session.resume();
    assert_eq!(said(&mut session, at(3)), ["call 1 after 0", "call 3 after 0"]);
}

#[test]
fn a_heartbeat_is_due_when_nothing_else_was_sent() {
    let mut session = open();
    assert_eq!(session.next_due(at(1)), Some(HEARTBEAT));
    assert_eq!(said(&mut session, at(2999)), Vec::<String>::new());
    session.submit(at(2999), checkout("a"), caller(1));
    assert_eq!(said(&mut session, at(2999)), ["call 1 after 0"]);
    assert_eq!(session.next_due(at(3000)), Some(at(5999)));
    assert_eq!(said(&mut session, at(5999)), ["heartbeat"]);
    // While one is under way, there is no point in another.
    assert_eq!(said(&mut session, at(9000)), Vec::<String>::new());
    assert_eq!(session.next_due(at(9000)), Some(at(62_999)));
}

#[test]
fn a_server_with_a_crowd_asks_for_fewer_heartbeats() {
    let mut session = open();
    let ClientMessage { id, .. } = session.next_message(HEARTBEAT).expect("a heartbeat");
    session.receive(HEARTBEAT, id, Reply::Alive { index: LogIndex(1), heartbeat_ms: 10_000 });
    assert_eq!(session.next_due(HEARTBEAT), Some(HEARTBEAT + at(10_000)));
    assert_eq!(said(&mut session, HEARTBEAT + at(9999)), Vec::<String>::new());
    assert_eq!(said(&mut session, HEARTBEAT + at(10_000)), ["heartbeat"]);
}

#[test]
fn times_out_as_unknown_when_sent_and_as_not_sent_when_not() {
    let mut session = open();
    session.submit(at(0), checkout("a"), caller(1));
    said(&mut session, at(0));
    session.disconnected(at(1));
    session.submit(at(2), checkout("a"), caller(2));
    session.give_back(at(3), Handle(9), Some(caller(3)));
    assert_eq!(session.next_due(at(4)), Some(TIMEOUT));
    session.advance(TIMEOUT);
    assert!(matches!(&told(&mut session)[..], [(1, Err(RequestError::Unknown { .. }))]));
    assert_eq!(session.next_due(TIMEOUT), Some(TIMEOUT + at(2)));
    session.advance(TIMEOUT + at(2));
    assert!(matches!(&told(&mut session)[..], [(2, Err(RequestError::NotSent { waited_ms: 60_000, .. }))]));
    session.advance(TIMEOUT + at(3));
    let told_last = told(&mut session);
    let [(3, Err(error))] = &told_last[..] else { panic!("{told_last:?}") };
    assert_eq!(
        error.to_string(),
        "checkin of handle 9 may or may not have been done: no master was in reach for 60000 ms, it is sent when \
         there is one"
    );
    assert_eq!(session.next_due(TIMEOUT + at(3)), None);
    // What was sent is not given up, and neither is a return.
    session.connected(TIMEOUT + at(4), HEARTBEAT, None);
    assert_eq!(said(&mut session, TIMEOUT + at(4)), ["heartbeat", "call 1 after 0", "call 2 after 0"]);
}

/// Whether they were returned or not, nobody holds those seats any more; of a checkout nobody knows.
#[test]
fn a_return_in_doubt_is_over_when_the_session_is_lost() {
    let mut session = open();
    session.give_back(at(0), Handle(9), Some(caller(1)));
    session.submit(at(0), checkout("a"), caller(2));
    assert_eq!(said(&mut session, at(0)), ["call 1 after 0", "call 2 after 0"]);
    session.disconnected(at(1));
    session.connected(at(2), HEARTBEAT, None);
    let heartbeat = session.next_message(at(2)).unwrap();
    session.receive(at(3), heartbeat.id, Reply::Gone);
    let told = told(&mut session);
    assert!(
        matches!(
            &told[..],
            [(1, Err(RequestError::SessionLost { .. })), (2, Err(RequestError::Unknown { .. }))]
        ),
        "{told:?}"
    );
}

#[test]
fn returns_go_before_what_waits() {
    let mut session = open();
    session.suspend();
    session.submit(at(0), checkout("a"), caller(1));
    session.give_back(at(0), Handle(5), None);
    session.resume();
    let message = session.next_message(at(0)).unwrap();
    let Request::Call { action, .. } = message.request else { panic!("{message:?}") };
    assert_eq!(action, Action::Checkin { handle: Handle(5), owner: None });
}

#[test]
fn too_many_that_wait_are_refused() {
    let mut session = new();
    for name in 0..=MAX_WAITING as u64 {
        session.submit(at(0), checkout("a"), caller(name));
    }
    assert_eq!(told(&mut session), [(MAX_WAITING as u64, Err(RequestError::Busy { limit: MAX_WAITING }))]);
}

#[test]
fn closing_refuses_what_waits_and_settles_what_is_under_way() {
    let mut session = open();
    session.submit(at(0), checkout("a"), caller(1));
    said(&mut session, at(0));
    session.submit(at(0), checkout("a"), caller(2));
    session.close(at(1), Some(caller(3)));
    assert_eq!(told(&mut session), [(2, Err(RequestError::Closed))]);
    let message = session.next_message(at(1)).unwrap();
    assert_eq!(in_short(&message), "close");
    session.receive(at(2), message.id, answer(Outcome::SessionClosed { returned: Vec::new() }));
    let told = told(&mut session);
    assert!(
        matches!(&told[..], [(1, Err(RequestError::Unknown { .. })), (3, Ok(Payload::Closed))]),
        "{told:?}"
    );
    assert!(session.is_over());
    session.connected(at(3), HEARTBEAT, None);
    assert_eq!(said(&mut session, at(3)), Vec::<String>::new());
}
