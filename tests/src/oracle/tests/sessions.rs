//! The judge is judged: sessions that their clients end, seats that are given back without waiting, and counts.

use std::collections::BTreeSet;

use licensing_core::id::{Handle, LogIndex, Role, Seats, SessionId};

use crate::history::{Count, Held, History, Kind, Operation, Read, Told};
use crate::oracle::{Verdict, claim, judge};

/// Two clients with the sessions 1 and 2; three seats of `f`.
struct Story(History);

fn granted(index: u64) -> Told {
    Told::Granted { index: LogIndex(index), handle: Handle(index), with_data: None }
}

fn refused(index: u64, in_use: u32) -> Told {
    Told::NoFreeSeats { index: LogIndex(index), in_use: Seats(in_use) }
}

fn closed(index: u64) -> Told {
    Told::Closed { index: LogIndex(index) }
}

fn returned(index: u64) -> Told {
    Told::Returned { index: LogIndex(index) }
}

fn counted(applied: u64, issued: u32, in_use: u32) -> Told {
    Told::Counted { applied: LogIndex(applied), issued: Seats(issued), in_use: Seats(in_use) }
}

fn give_back(handle: u64) -> Kind {
    Kind::GiveBack { handle: Handle(handle) }
}

fn count() -> Kind {
    Kind::Count { feature: "f".to_owned() }
}

impl Story {
    fn new() -> Story {
        let story = Story(History::new("story", 0, [("f".to_owned(), Seats(3))].into()));
        let open = |story: Story, client: u32| {
            story.op(client, Kind::Open, Told::Opened { session: SessionId(u64::from(client)) })
        };
        [1, 2].into_iter().fold(story, open)
    }

    fn op(mut self, client: u32, kind: Kind, told: Told) -> Story {
        let invoked_us = 10 * self.0.operations.len() as u64;
        let completed_us = Some(invoked_us + 5);
        self.0.operations.push(Operation { client, kind, invoked_us, completed_us, told });
        self
    }

    fn checkout(self, client: u32, seats: u32, told: Told) -> Story {
        self.op(client, Kind::Checkout { feature: "f".to_owned(), seats: Seats(seats) }, told)
    }

    /// A server shows these checkouts: handle, session, seats.
    fn shown(mut self, server: Role, applied: u64, held: &[(u64, u64, u32)]) -> Story {
        let in_use = Seats(held.iter().map(|(_, _, seats)| seats).sum());
        let held = held.iter().map(|(handle, session, seats)| Held {
            handle: Handle(*handle),
            session: SessionId(*session),
            feature: "f".to_owned(),
            seats: Seats(*seats),
            data: None,
        });
        let asked_us = 10 * self.0.operations.len() as u64;
        self.0.reads.push(Read {
            server,
            asked_us,
            answered_us: asked_us,
            master: false,
            applied: LogIndex(applied),
            edition: None,
            features: [("f".to_owned(), Count { issued: Seats(3), in_use })].into(),
            held: held.collect(),
        });
        self
    }

    /// All servers show this in the end.
    fn judged(self, applied: u64, held: &[(u64, u64, u32)]) -> Result<Verdict, BTreeSet<&'static str>> {
        let story = Role::ALL.into_iter().fold(self, |story, role| story.shown(role, applied, held));
        judge(&story.0).map_err(|found| found.iter().map(|violation| violation.claim).collect())
    }
}

#[test]
fn what_a_closed_session_held_is_free_for_others() {
    let verdict = Story::new()
        .checkout(1, 3, granted(3))
        .shown(Role::Secondary, 4, &[(3, 1, 3)])
        .op(1, Kind::Close, closed(5))
        .checkout(2, 3, granted(6))
        .judged(6, &[(6, 2, 3)])
        .unwrap();
    assert_eq!((verdict.granted, verdict.closed, verdict.held), (2, 1, 1));
}

#[test]
fn a_closed_session_that_keeps_something_is_found() {
    let closing = || Story::new().checkout(1, 3, granted(3)).op(1, Kind::Close, closed(5));
    let shown = closing().judged(5, &[(3, 1, 3)]);
    assert_eq!(shown, Err(BTreeSet::from([claim::ENDED_HOLD_NOTHING])));
    let counted = closing().checkout(2, 1, refused(6, 3)).judged(6, &[]);
    assert_eq!(counted, Err(BTreeSet::from([claim::DENIALS_ARE_TRUE])));
    // Also what it was never told of.
    let late = Story::new().checkout(1, 3, Told::GivenUp).op(1, Kind::Close, closed(5));
    let both = BTreeSet::from([claim::ENDED_HOLD_NOTHING, claim::NO_GHOSTS]);
    assert_eq!(late.judged(6, &[(4, 1, 3)]), Err(both));
    let early = Story::new().checkout(1, 3, granted(3)).op(1, Kind::Close, closed(5));
    let early = early.shown(Role::Secondary, 4, &[]).judged(5, &[]);
    assert_eq!(early, Err(BTreeSet::from([claim::CHECKOUTS_STAY])));
}

#[test]
fn a_session_is_ended_once() {
    let twice = Story::new().op(1, Kind::Close, closed(3)).op(1, Kind::Close, closed(4)).judged(4, &[]);
    assert_eq!(twice, Err(BTreeSet::from([claim::COUNTED_ONCE])));
}

#[test]
fn a_close_without_an_answer_may_come_late_and_has_come_in_the_end() {
    let left = || Story::new().checkout(1, 2, granted(3)).op(1, Kind::Close, Told::GivenUp);
    let still = left().checkout(2, 2, refused(5, 2)).shown(Role::Primary, 5, &[(3, 1, 2)]);
    still.checkout(2, 2, granted(6)).judged(6, &[(6, 2, 2)]).unwrap();
    assert_eq!(left().judged(6, &[(3, 1, 2)]), Err(BTreeSet::from([claim::NO_GHOSTS])));
}

#[test]
fn a_session_that_was_over_holds_nothing_when_somebody_asks_afterwards() {
    let was = || Story::new().checkout(1, 2, granted(3)).op(1, Kind::Close, Told::WasClosed);
    was().shown(Role::Tertiary, 4, &[(3, 1, 2)]).checkout(2, 3, granted(6)).judged(6, &[(6, 2, 3)]).unwrap();
    let late = was().checkout(2, 3, refused(6, 2)).judged(6, &[]);
    assert_eq!(late, Err(BTreeSet::from([claim::DENIALS_ARE_TRUE])));
}

#[test]
fn seats_that_were_dropped_go_back_sooner_or_later() {
    let dropped = || Story::new().checkout(1, 2, granted(3)).op(1, give_back(3), Told::GivenUp);
    dropped().checkout(2, 2, refused(5, 2)).checkout(2, 2, granted(6)).judged(6, &[(6, 2, 2)]).unwrap();
    assert_eq!(dropped().judged(6, &[(3, 1, 2)]), Err(BTreeSet::from([claim::NO_GHOSTS])));
    let answered = Story::new().checkout(1, 2, granted(3)).op(1, give_back(3), returned(4));
    assert_eq!(answered.judged(4, &[(3, 1, 2)]), Err(BTreeSet::from([claim::CHECKINS_STAY])));
}

#[test]
fn a_count_is_that_of_the_entry_it_names() {
    let story = || Story::new().checkout(1, 2, granted(4));
    let good = story().op(2, count(), counted(3, 3, 0)).op(2, count(), counted(4, 3, 2));
    assert_eq!(good.judged(5, &[(4, 1, 2)]).unwrap().counts, 2);
    for told in [counted(3, 3, 2), counted(4, 3, 0), counted(4, 4, 2)] {
        let wrong = story().op(2, count(), told).judged(5, &[(4, 1, 2)]);
        assert_eq!(wrong, Err(BTreeSet::from([claim::COUNTS_ARE_RIGHT])));
    }
}
