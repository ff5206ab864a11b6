//! A model of a server, and random losses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use licensing_core::id::{LogIndex, Seats};
use licensing_core::outcome::Outcome;
use proptest::prelude::*;

use super::*;

/// What the replicated state would do: each number once, each checkout its own handle.
#[derive(Debug, Default)]
struct Model {
    answers: BTreeMap<u64, Outcome>,
    acknowledged: u64,
    next_handle: u64,
    held: BTreeSet<u64>,
    /// Calls that were refused for good: never decided, and over all the same.
    refused: BTreeSet<u64>,
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

    /// Refuses a checkout that the state has not seen, as servers do with what somebody may not ask; serves all else.
    fn refuse(&mut self, request: &Request) -> Reply {
        match request {
            Request::Call { request: number, action: Action::Checkout { .. }, .. }
                if !self.answers.contains_key(&number.0) =>
            {
                self.refused.insert(number.0);
                Reply::Error(String::new())
            }
            request => self.serve(request),
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
    /// A request under way is refused for good.
    RefuseForGood(usize),
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
        1 => index().prop_map(Step::RefuseForGood),
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
            Step::RefuseForGood(index) => self.serve(*index, |model, request| Some(model.refuse(request))),
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
        let model = &world.model;
        let numbers: BTreeSet<u64> = model.answers.keys().chain(&model.refused).copied().collect();
        let numbers: Vec<u64> = numbers.into_iter().collect();
        let gapless: Vec<u64> = (1..=numbers.len() as u64).collect();
        prop_assert_eq!(numbers, gapless);
        prop_assert_eq!(world.session.unanswered(), 0);
        let holding: BTreeSet<u64> = world.holding.iter().copied().collect();
        prop_assert_eq!(holding, world.model.held);
    }
}
