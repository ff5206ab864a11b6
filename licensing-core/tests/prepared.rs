//! An install that was worked out beforehand makes the same state as one that was not, whatever happened in between.

use std::sync::Arc;

use licensing_core::encode::compiled;
use licensing_core::*;
use proptest::collection::vec;
use proptest::prelude::*;

const FEATURES: [&str; 4] = ["f", "g", "h", "i"];

/// A license with these seats of each feature; none of those with 0.
fn license(seats: &[u32]) -> Compiled {
    let mut text = "SERVER alpha ANY 27000\nVENDOR acme\n".to_owned();
    for (feature, seats) in FEATURES.iter().zip(seats).filter(|(_, seats)| **seats > 0) {
        text += &format!("INCREMENT {feature} acme 1.0 permanent {seats} SIGN=0\n");
    }
    Compiled::from_text("acme.lic", &text).unwrap()
}

struct Run {
    state: State,
    requests: u64,
    handles: Vec<Handle>,
}

impl Run {
    fn ask(&mut self, command: Command) -> Outcome {
        let index = LogIndex(self.state.last_index().0 + 1);
        let outcome = apply(&mut self.state, index, &Proposal { at: Timestamp(0), command }).answer.outcome;
        if let Outcome::Granted { handle, .. } = outcome {
            self.handles.push(handle);
        }
        outcome
    }

    /// 0 to 3 takes a seat, the rest gives one back.
    fn work(&mut self, step: usize) {
        self.requests += 1;
        let action = match FEATURES.get(step) {
            Some(feature) => {
                let (feature, version) = ((*feature).to_owned(), "1".to_owned());
                Action::Checkout { vendor: None, feature, version, seats: Seats(1) }
            }
            None if self.handles.is_empty() => return,
            None => {
                let handle = self.handles.swap_remove(step % self.handles.len());
                Action::Checkin { handle, owner: None }
            }
        };
        let (request, acknowledged) = (RequestId(self.requests), RequestId(self.requests - 1));
        let (session, token) = (SessionId(2), Token([7; 16]));
        self.ask(Command::Call(Call { session, token, request, acknowledged, action }));
    }
}

proptest! {
    #[test]
    fn it_makes_no_difference_whether_an_install_was_prepared(
        [first, then, between, second] in [vec(0..4u32, 4), vec(0..4u32, 4), vec(0..4u32, 4), vec(0..4u32, 4)],
        before in vec(0..12usize, 0..30),
        after in vec(0..12usize, 0..30),
        overtaken in prop::bool::weighted(0.3),
    ) {
        let mut run = Run { state: State::new(), requests: 0, handles: Vec::new() };
        run.ask(Command::Install(license(&first).into()));
        let text = String::new;
        let identity = Identity { user: text(), host: text(), display: text(), pid: 1, project: text() };
        run.ask(Command::OpenSession { token: Token([7; 16]), identity, address: None });
        before.iter().for_each(|step| run.work(*step));
        // What it leaves out and somebody holds is a pool that goes with its last seat, now or after the preparation.
        run.ask(Command::Install(license(&then).into()));

        let new = Arc::new(license(&second));
        let bytes = compiled::to_bytes(&new);
        let digest = Digest::of(&bytes);
        run.ask(Command::Stage { digest, part: 0, bytes: bytes.clone() });
        let prepared = run.state.prepare(new, digest).unwrap();
        if overtaken {
            run.ask(Command::Install(license(&between).into()));
            run.ask(Command::Stage { digest, part: 0, bytes });
        }
        after.iter().for_each(|step| run.work(*step));

        let (mut plain, mut helped) = (run.state.clone(), run.state);
        helped.keep(prepared);
        let index = LogIndex(plain.last_index().0 + 1);
        let install = Proposal { at: Timestamp(0), command: Command::Install(Install::Staged { digest }) };
        prop_assert_eq!(apply(&mut plain, index, &install), apply(&mut helped, index, &install));
        invariants::check(&helped).unwrap();
        prop_assert_eq!(&plain, &helped);
        prop_assert_eq!(plain.to_bytes(), helped.to_bytes());
    }
}

/// Its number is free again, and the install that was not prepared gives it to a new pool: two servers, of which one had
/// prepared, would number the same pool differently.
#[test]
fn a_pool_that_goes_with_its_last_seat_undoes_what_was_prepared() {
    let mut run = Run { state: State::new(), requests: 0, handles: Vec::new() };
    run.ask(Command::Install(license(&[1, 1, 0, 0]).into()));
    let text = String::new;
    let identity = Identity { user: text(), host: text(), display: text(), pid: 1, project: text() };
    run.ask(Command::OpenSession { token: Token([7; 16]), identity, address: None });
    run.work(0);
    run.ask(Command::Install(license(&[0, 1, 0, 0]).into()));

    let new = Arc::new(license(&[0, 1, 1, 0]));
    let bytes = compiled::to_bytes(&new);
    let digest = Digest::of(&bytes);
    run.ask(Command::Stage { digest, part: 0, bytes });
    let prepared = run.state.prepare(new, digest).unwrap();
    run.state.keep(prepared);
    assert!(run.state.is_prepared(&digest));
    run.work(FEATURES.len());
    assert!(!run.state.is_prepared(&digest), "the pool of the first feature has gone");

    let mut plain = State::from_bytes(&run.state.to_bytes()).unwrap();
    let index = LogIndex(plain.last_index().0 + 1);
    let install = Proposal { at: Timestamp(0), command: Command::Install(Install::Staged { digest }) };
    assert_eq!(apply(&mut plain, index, &install), apply(&mut run.state, index, &install));
    assert_eq!(plain.to_bytes(), run.state.to_bytes());
}
