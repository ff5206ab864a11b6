//! What a judge that sees no index says of recorded histories.

use licensing_core::id::{Handle, LogIndex, Seats, SessionId};

use super::*;
use crate::check::semaphore::Verdict;
use crate::history::{Kind as Asked, Vanished};

/// Seats of `f1`; `f2` has one.
const LICENSED: u32 = 3;

/// A history told line by line, one operation every ten microseconds.
struct Story(History);

fn checkout(seats: u32) -> Asked {
    Asked::Checkout { feature: "f1".to_owned(), seats: Seats(seats) }
}

fn checkin(handle: u64) -> Asked {
    Asked::Checkin { handle: Handle(handle) }
}

/// The index is that of the handle, which is no use to this judge.
fn granted(handle: u64) -> Told {
    Told::Granted { index: LogIndex(handle), handle: Handle(handle), with_data: None }
}

fn refused(in_use: u32) -> Told {
    Told::NoFreeSeats { index: LogIndex(0), in_use: Seats(in_use) }
}

fn returned() -> Told {
    Told::Returned { index: LogIndex(0) }
}

fn unknown() -> Told {
    Told::Unknown { why: "no answer".to_owned() }
}

impl Story {
    fn new() -> Story {
        let licensed = [("f1", LICENSED), ("f2", 1)].map(|(name, seats)| (name.to_owned(), Seats(seats)));
        Story(History::new("story", 0, licensed.into()))
    }

    fn op(mut self, client: u32, kind: Asked, told: Told) -> Story {
        let invoked_us = 10 * (self.0.operations.len() as u64 + 1);
        let completed_us = (!matches!(told, Told::Unknown { .. })).then_some(invoked_us + 5);
        self.0.operations.push(history::Operation { client, kind, invoked_us, completed_us, told });
        self
    }

    fn vanished(mut self, client: u32, kept_until_us: u64) -> Story {
        self.0.vanished.push(Vanished { client, kept_until_us, gone_by_us: None });
        self
    }

    /// Features in which no order explains the answers.
    fn bad(&self) -> Vec<String> {
        let judged = judge_blind(&self.0).into_iter();
        judged
            .filter_map(|(feature, judgement)| match judgement.verdict {
                Verdict::Linearizable(_) => None,
                Verdict::NotLinearizable(_) => Some(feature.name),
                Verdict::OutOfBudget => panic!("{} of {:?}", feature.name, self.0),
            })
            .collect()
    }

    #[track_caller]
    fn good(self) {
        assert_eq!(self.bad(), Vec::<String>::new());
    }

    #[track_caller]
    fn broken(self) {
        assert_eq!(self.bad(), ["f1"]);
    }
}

#[test]
fn an_honest_run_is_good() {
    Story::new()
        .op(1, Asked::Open, Told::Opened { session: SessionId(1) })
        .op(1, checkout(2), granted(201))
        .op(2, checkout(2), refused(2))
        .op(2, Asked::Checkout { feature: "f2".to_owned(), seats: Seats(1) }, granted(202))
        .op(2, checkout(1), Told::Denied { index: LogIndex(203), why: "closed".to_owned() })
        .op(2, checkout(1), Told::NotDone { why: "no server".to_owned() })
        .op(1, checkin(201), returned())
        .op(2, checkout(3), granted(205))
        .op(1, checkin(7), Told::UnknownHandle { index: LogIndex(206) })
        .good();
}

#[test]
fn wrong_answers_are_found_without_an_index() {
    let story = || Story::new().op(1, checkout(2), granted(201));
    story().op(2, checkout(2), granted(202)).broken();
    story().op(2, checkout(1), refused(2)).broken();
    story().op(2, checkout(2), refused(3)).broken();
    story().op(1, checkin(201), Told::UnknownHandle { index: LogIndex(202) }).broken();
    story().op(1, checkin(201), returned()).op(2, checkout(3), refused(2)).broken();
    story().op(1, checkin(201), returned()).op(1, checkin(201), returned()).broken();
}

#[test]
fn what_is_unknown_may_have_happened_or_not() {
    for in_use in 1..=3 {
        let story = Story::new().op(1, checkout(2), granted(201)).op(2, checkout(1), unknown());
        let story = story.op(1, checkin(201), unknown()).op(1, checkout(3), refused(in_use));
        story.good();
    }
    Story::new().op(2, checkout(1), unknown()).op(1, checkout(3), refused(2)).broken();
}

#[test]
fn whoever_loses_its_session_may_have_lost_its_seats() {
    let story = || Story::new().op(1, checkout(2), granted(201)).op(2, checkout(2), granted(202));
    story().broken();
    story().op(1, checkout(1), Told::SessionLost).good();
    story().op(2, checkout(1), Told::SessionLost).broken();
}

#[test]
fn whoever_fell_silent_keeps_its_seats_for_a_while() {
    // The second checkout is made from 20 to 25 us.
    let story = || Story::new().op(1, checkout(2), granted(201)).op(2, checkout(2), granted(202));
    story().vanished(1, 25).good();
    story().vanished(1, 26).broken();
}

#[test]
fn what_an_administrator_removes_is_returned() {
    let remove = || Asked::Remove { handle: Handle(201) };
    let story = || Story::new().op(1, checkout(3), granted(201));
    story().op(9, remove(), returned()).op(2, checkout(3), granted(203)).good();
    story().op(9, remove(), returned()).op(2, checkout(1), refused(3)).broken();
}

#[test]
fn a_checkin_of_what_nobody_was_told_of_needs_a_checkout_that_nobody_was_told_of() {
    let story = || Story::new().op(2, checkout(3), unknown());
    story().op(2, checkin(300), returned()).op(1, checkout(3), granted(301)).good();
    story()
        .op(1, checkout(3), refused(3))
        .op(2, checkin(300), returned())
        .op(1, checkout(3), granted(301))
        .good();
    story().op(1, checkout(3), refused(3)).op(1, checkout(3), granted(301)).broken();
    assert_eq!(Story::new().op(2, checkin(300), returned()).bad(), ["(no feature)"]);
}
