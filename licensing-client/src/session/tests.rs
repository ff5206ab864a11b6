//! The session by hand, and against a model of a server under random losses.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use licensing_core::id::{LogIndex, Role, Seats, Timestamp};
use licensing_core::outcome::Outcome;
use proptest::prelude::*;

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

// ---- A model of a server, and random losses ----------------------------------------------------------------

/// What the replicated state would do: each number once, each checkout its own handle.
#[derive(Debug, Default)]
struct Model {
    answers: BTreeMap<u64, Outcome>,
    acknowledged: u64,
    next_handle: u64,
    held: BTreeSet<u64>,
}

impl Model {
    fn serve(&mut self, request: &Request) -> Reply {
        match request {
            Request::OpenSession { .. } => answer(Outcome::SessionOpened { session: SESSION }),
            Request::Heartbeat { .. } => Reply::Alive { index: LogIndex(1), heartbeat_ms: 3000 },
            Request::Call { request, acknowledged, action, .. } => {
                answer(self.call(request.0, acknowledged.0, action))
            }
            other => panic!("{other:?}"),
        }
    }

    fn call(&mut self, number: u64, acknowledged: u64, action: &Action) -> Outcome {
        self.acknowledged = self.acknowledged.max(acknowledged);
        if let Some(outcome) = self.answers.get(&number) {
            return outcome.clone();
        }
        assert!(number > self.acknowledged, "{number} is new and was acknowledged");
        let open = self.answers.range(self.acknowledged + 1..).count();
        assert!(open < MAX_UNANSWERED, "the state would not keep the answer to {number}");
        let outcome = match action {
            Action::Checkout { .. } => {
                self.next_handle += 1;
                self.held.insert(self.next_handle);
                Outcome::Granted { handle: Handle(self.next_handle), seats: Seats(1) }
            }
            Action::Checkin { handle, .. } if self.held.remove(&handle.0) => {
                Outcome::Returned { handle: *handle }
            }
            Action::Checkin { handle, .. } => Outcome::Denied(Denial::UnknownHandle { handle: *handle }),
            other => panic!("{other:?}"),
        };
        self.answers.insert(number, outcome.clone());
        outcome
    }
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Submit,
    GiveUp(usize),
    GiveBack(usize),
    Connect,
    Disconnect,
    Suspend,
    Resume,
    /// A request under way reaches the state, in any order.
    Serve(usize),
    /// A request under way reaches the state, and the server does not know.
    ServeUnknown(usize),
    /// A request under way is refused for now.
    Refuse(usize),
    /// A reply under way arrives.
    Reply,
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let index = || 0_usize..1000;
    prop_oneof![
        4 => Just(Step::Submit),
        1 => index().prop_map(Step::GiveUp),
        2 => index().prop_map(Step::GiveBack),
        2 => Just(Step::Connect),
        1 => Just(Step::Disconnect),
        1 => Just(Step::Suspend),
        1 => Just(Step::Resume),
        6 => index().prop_map(Step::Serve),
        1 => index().prop_map(Step::ServeUnknown),
        1 => index().prop_map(Step::Refuse),
        6 => Just(Step::Reply),
        2 => (0_u16..30_000).prop_map(Step::Wait),
    ]
}

/// A session, its server and the network between them.
struct World {
    session: Session<Caller>,
    model: Model,
    now: Duration,
    requests: Vec<ClientMessage>,
    replies: VecDeque<(u64, Reply)>,
    waiting: BTreeMap<u64, Caller>,
    next_caller: u64,
    /// Handles that callers hold.
    holding: Vec<u64>,
}

impl World {
    fn new() -> World {
        let (requests, replies, holding) = (Vec::new(), VecDeque::new(), Vec::new());
        let (session, model, waiting) = (new(), Model::default(), BTreeMap::new());
        World { session, model, now: at(0), requests, replies, waiting, next_caller: 0, holding }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Submit => {
                let caller = caller(self.next_caller);
                self.next_caller += 1;
                self.waiting.insert(caller.name, caller.clone());
                self.session.submit(self.now, checkout("a"), caller);
            }
            Step::GiveUp(index) => {
                if !self.waiting.is_empty() {
                    let name = *self.waiting.keys().nth(index % self.waiting.len()).unwrap();
                    self.waiting[&name].gave_up.set(true);
                    self.waiting.remove(&name);
                }
            }
            Step::GiveBack(index) => {
                if !self.holding.is_empty() {
                    let handle = self.holding.swap_remove(index % self.holding.len());
                    self.session.give_back(self.now, Handle(handle), None);
                }
            }
            Step::Connect => {
                self.requests.clear();
                self.replies.clear();
                self.session.connected(self.now, HEARTBEAT, None);
            }
            Step::Disconnect => {
                self.requests.clear();
                self.replies.clear();
                self.session.disconnected(self.now);
            }
            Step::Suspend => self.session.suspend(),
            Step::Resume => self.session.resume(),
            Step::Serve(index) => self.serve(*index, |model, request| Some(model.serve(request))),
            Step::ServeUnknown(index) => self.serve(*index, |model, request| {
                model.serve(request);
                Some(Reply::Unknown(String::new()))
            }),
            Step::Refuse(index) => self.serve(*index, |_, _| Some(Reply::Busy { retry_after_ms: 5 })),
            Step::Reply => {
                if let Some((id, reply)) = self.replies.pop_front() {
                    self.session.receive(self.now, id, reply);
                }
            }
            Step::Wait(ms) => self.now += at(u64::from(*ms)),
        }
        self.settle();
    }

    fn serve(&mut self, index: usize, reply: impl Fn(&mut Model, &Request) -> Option<Reply>) {
        if !self.requests.is_empty() {
            let message = self.requests.swap_remove(index % self.requests.len());
            let reply = reply(&mut self.model, &message.request);
            self.replies.extend(reply.map(|reply| (message.id, reply)));
        }
    }

    fn settle(&mut self) {
        self.session.advance(self.now);
        let now = self.now;
        self.requests.extend(std::iter::from_fn(|| self.session.next_message(now)));
        while let Some(event) = self.session.poll_event() {
            let SessionEvent::Delivered { waiter, result } = event else { continue };
            let waited = self.waiting.remove(&waiter.name).is_some();
            assert!(waited || waiter.gave_up(), "caller {} was told twice", waiter.name);
            if let Ok(Payload::Answer(Answer { outcome: Outcome::Granted { handle, .. }, .. })) = result {
                assert!(waited, "caller {} got seats it did not wait for", waiter.name);
                assert!(self.model.held.contains(&handle.0), "handle {handle} was told and is not held");
                self.holding.push(handle.0);
            }
        }
        let due = self.session.next_due(now);
        assert!(due.is_none_or(|due| due > now), "something due at {due:?} was not done at {now:?}");
    }

    /// Faults are over: everything must be answered.
    fn heal(&mut self) {
        self.step(&Step::Connect);
        for _ in 0..10_000 {
            if self.requests.is_empty() && self.replies.is_empty() {
                match self.session.next_due(self.now) {
                    Some(due) if self.session.unanswered() > 0 || !self.waiting.is_empty() => self.now = due,
                    _ => return,
                }
            }
            let first = Step::Serve(0);
            self.step(&first);
            self.step(&Step::Reply);
        }
        panic!("not everything was answered");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Numbers have no gaps, the window is kept, every caller is told once, and when the faults are over exactly the
    /// seats are held that somebody was told of and did not give back.
    #[test]
    fn whatever_is_lost_no_seat_is(steps in prop::collection::vec(step(), 1..200)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.heal();
        prop_assert!(world.waiting.is_empty(), "{:?} were never told", world.waiting.keys());
        let numbers: Vec<u64> = world.model.answers.keys().copied().collect();
        let gapless: Vec<u64> = (1..=numbers.len() as u64).collect();
        prop_assert_eq!(numbers, gapless);
        prop_assert_eq!(world.session.unanswered(), 0);
        let holding: BTreeSet<u64> = world.holding.iter().copied().collect();
        prop_assert_eq!(holding, world.model.held);
    }
}
