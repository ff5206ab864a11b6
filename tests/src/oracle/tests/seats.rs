//! The judge is judged: small histories of which it is known whether they are good.

use std::collections::{BTreeMap, BTreeSet};

use licensing_core::id::{Handle, LogIndex, Role, Seats, SessionId};

use crate::history::{Count, Held, History, Kind, Look, Operation, Read, Told};
use crate::oracle::{Verdict, claim, judge};

/// Seats of the only feature.
const LICENSED: u32 = 3;

/// A history told line by line. Operations follow each other, one every ten microseconds, unless said otherwise.
struct Story {
    history: History,
    now_us: u64,
}

/// Sessions are 101, 102, … for clients 1, 2, …; they are opened at those indexes.
fn session(client: u32) -> SessionId {
    SessionId(100 + u64::from(client))
}

fn checkout(seats: u32) -> Kind {
    Kind::Checkout { feature: "f1".to_owned(), seats: Seats(seats) }
}

fn checkin(handle: u64) -> Kind {
    Kind::Checkin { handle: Handle(handle) }
}

fn granted(index: u64) -> Told {
    Told::Granted { index: LogIndex(index), handle: Handle(index), with_data: None }
}

fn returned(index: u64) -> Told {
    Told::Returned { index: LogIndex(index) }
}

fn refused(index: u64, in_use: u32) -> Told {
    Told::NoFreeSeats { index: LogIndex(index), in_use: Seats(in_use) }
}

fn unknown() -> Told {
    Told::Unknown { why: "no answer".to_owned() }
}

impl Story {
    /// Two clients with a session each.
    fn new() -> Story {
        let licensed = BTreeMap::from([("f1".to_owned(), Seats(LICENSED))]);
        let story = Story { history: History::new("story", 0, licensed), now_us: 0 };
        [1, 2].into_iter().fold(story, |story, client| {
            story.op(client, Kind::Open, Told::Opened { session: session(client) })
        })
    }

    fn op(mut self, client: u32, kind: Kind, told: Told) -> Story {
        self.now_us += 10;
        let completed_us = told.index().map(|_| self.now_us + 5);
        let operation = Operation { client, kind, invoked_us: self.now_us, completed_us, told };
        self.history.operations.push(operation);
        self
    }

    /// The last operation was under way from this moment to that.
    fn between(mut self, invoked_us: u64, completed_us: u64) -> Story {
        let operation = self.history.operations.last_mut().unwrap();
        (operation.invoked_us, operation.completed_us) = (invoked_us, Some(completed_us));
        self
    }

    /// A server shows these checkouts: handle, client, seats.
    fn shown(mut self, server: Role, applied: u64, held: &[(u64, u32, u32)]) -> Story {
        self.now_us += 10;
        let in_use = Seats(held.iter().map(|(_, _, seats)| seats).sum());
        let held = held.iter().map(|(handle, client, seats)| Held {
            handle: Handle(*handle),
            session: session(*client),
            feature: "f1".to_owned(),
            seats: Seats(*seats),
            data: None,
        });
        self.history.reads.push(Read {
            server,
            asked_us: self.now_us,
            answered_us: self.now_us + 5,
            master: false,
            applied: LogIndex(applied),
            edition: None,
            features: BTreeMap::from([("f1".to_owned(), Count { issued: Seats(LICENSED), in_use })]),
            held: held.collect(),
        });
        self
    }

    fn edit(mut self, change: impl FnOnce(&mut Read)) -> Story {
        change(self.history.reads.last_mut().unwrap());
        self
    }

    /// The last read was made between these moments, of a server that said it is master.
    fn said_by_the_master(self, asked_us: u64, answered_us: u64) -> Story {
        self.edit(|read| (read.master, read.asked_us, read.answered_us) = (true, asked_us, answered_us))
    }

    /// All servers show this in the end.
    fn end(self, applied: u64, held: &[(u64, u32, u32)]) -> Story {
        Role::ALL.into_iter().fold(self, |story, role| story.shown(role, applied, held))
    }

    #[track_caller]
    fn judged_good(self) -> Verdict {
        judge(&self.history).unwrap_or_else(|violations| panic!("{violations:#?}"))
    }

    /// Exactly these claims are not true.
    #[track_caller]
    fn breaks(self, claims: &[&str]) {
        let violations = judge(&self.history).expect_err("a bad history was taken for a good one");
        let found: BTreeSet<&str> = violations.iter().map(|violation| violation.claim).collect();
        assert_eq!(found, claims.iter().copied().collect(), "{violations:#?}");
    }
}

#[test]
fn an_honest_run_is_good() {
    let verdict = Story::new()
        .op(1, checkout(2), granted(201))
        .op(2, checkout(2), refused(202, 2))
        .shown(Role::Secondary, 201, &[(201, 1, 2)])
        .op(1, checkin(201), returned(203))
        .op(2, checkout(2), granted(204))
        // A standby that is behind shows what was true at its index.
        .shown(Role::Tertiary, 202, &[(201, 1, 2)])
        .end(204, &[(204, 2, 2)])
        .judged_good();
    let expected = Verdict { granted: 2, denied: 1, returned: 1, held: 1, reads: 5, ..Verdict::default() };
    assert_eq!(verdict, expected);
}

#[test]
fn what_is_unknown_may_have_happened_or_not() {
    let ends: [&[(u64, u32, u32)]; 4] = [&[(201, 1, 1)], &[(201, 1, 1), (202, 2, 1)], &[(202, 2, 1)], &[]];
    for end in ends {
        Story::new()
            .op(1, checkout(1), granted(201))
            .op(2, checkout(1), unknown())
            .op(1, checkin(201), unknown())
            .op(1, checkout(3), refused(205, 2))
            .end(205, end)
            .judged_good();
    }
    // The checkin that nobody answered was done, as the second try shows.
    Story::new()
        .op(1, checkout(3), granted(201))
        .op(1, checkin(201), unknown())
        .op(1, checkin(201), Told::UnknownHandle { index: LogIndex(203) })
        .op(2, checkout(3), granted(204))
        .end(204, &[(204, 2, 3)])
        .judged_good();
}

#[test]
fn one_unknown_checkout_explains_one_checkout_of_its_kind() {
    let story = || Story::new().op(1, checkout(1), granted(201)).op(2, checkout(1), unknown());
    story().end(205, &[(201, 1, 1), (202, 2, 1), (203, 2, 1)]).breaks(&[claim::COUNTED_ONCE]);
    // Not by an entry that was known when it was asked, not another number of seats, not another client's.
    story().end(205, &[(200, 2, 1), (201, 1, 1)]).breaks(&[claim::COUNTED_ONCE]);
    story().end(205, &[(201, 1, 1), (202, 2, 2)]).breaks(&[claim::COUNTED_ONCE]);
    story().end(205, &[(201, 1, 1), (202, 1, 1)]).breaks(&[claim::COUNTED_ONCE]);
}

#[test]
fn a_seat_too_many_is_found() {
    Story::new()
        .op(1, checkout(2), granted(201))
        .op(2, checkout(2), granted(202))
        .end(202, &[(201, 1, 2), (202, 2, 2)])
        .breaks(&[claim::NEVER_OVERSUBSCRIBED, claim::SHOWN_WITHIN_LICENSE]);
    // It may have been returned before, as far as anybody knows.
    Story::new()
        .op(1, checkout(2), granted(201))
        .op(1, checkin(201), unknown())
        .op(2, checkout(2), granted(202))
        .end(202, &[(202, 2, 2)])
        .judged_good();
    // But not before anybody had asked for that.
    Story::new()
        .op(1, checkout(2), granted(201))
        .op(2, checkout(2), granted(202))
        .op(1, checkin(201), unknown())
        .end(203, &[(202, 2, 2)])
        .breaks(&[claim::NEVER_OVERSUBSCRIBED]);
}

#[test]
fn a_lost_checkout_is_found() {
    let story = || Story::new().op(1, checkout(1), granted(201)).op(2, checkout(1), granted(202));
    story().end(202, &[(202, 2, 1)]).breaks(&[claim::CHECKOUTS_STAY]);
    // On one server, for a while: not good either.
    story()
        .shown(Role::Secondary, 202, &[(202, 2, 1)])
        .end(202, &[(201, 1, 1), (202, 2, 1)])
        .breaks(&[claim::CHECKOUTS_STAY]);
    story()
        .op(1, checkin(201), Told::UnknownHandle { index: LogIndex(203) })
        .end(203, &[(201, 1, 1), (202, 2, 1)])
        .breaks(&[claim::CHECKOUTS_STAY]);
}

#[test]
fn a_checkin_that_was_not_done_is_found() {
    let story = || Story::new().op(1, checkout(3), granted(201)).op(1, checkin(201), returned(202));
    story().end(202, &[(201, 1, 3)]).breaks(&[claim::CHECKINS_STAY]);
    story().op(2, checkout(1), refused(203, 3)).end(203, &[]).breaks(&[claim::DENIALS_ARE_TRUE]);
}

#[test]
fn a_request_that_was_counted_twice_is_found() {
    let story = || Story::new().op(1, checkout(1), granted(202));
    story().end(202, &[(201, 1, 1), (202, 1, 1)]).breaks(&[claim::COUNTED_ONCE]);
    story()
        .op(1, checkin(202), returned(203))
        .op(1, checkin(202), returned(204))
        .end(204, &[])
        .breaks(&[claim::COUNTED_ONCE]);
}

#[test]
fn a_ghost_is_found() {
    let story = || Story::new().op(1, checkout(1), granted(202));
    story().end(202, &[(150, 9, 1), (202, 1, 1)]).breaks(&[claim::NO_GHOSTS]);
    story().op(2, checkin(199), returned(203)).end(203, &[(202, 1, 1)]).breaks(&[claim::NO_GHOSTS]);
}

#[test]
fn a_denial_that_is_not_true_is_found() {
    for (seats, told) in [
        // Two of three are out: one is free, and the count was wrong.
        (1, refused(202, 2)),
        (2, refused(202, 3)),
        (1, Told::Denied { index: LogIndex(202), why: "no feature `f1`".to_owned() }),
    ] {
        Story::new()
            .op(1, checkout(2), granted(201))
            .op(2, checkout(seats), told)
            .end(202, &[(201, 1, 2)])
            .breaks(&[claim::DENIALS_ARE_TRUE]);
    }
}

#[test]
fn answers_that_cannot_both_be_are_found() {
    Story::new()
        .op(1, checkout(1), granted(201))
        .op(2, checkout(3), refused(201, 1))
        .end(201, &[(201, 1, 1)])
        .breaks(&[claim::ONE_ENTRY_ONE_ANSWER]);
    Story::new()
        .op(1, checkout(1), granted(201))
        .op(2, checkout(1), Told::Granted { index: LogIndex(202), handle: Handle(201), with_data: None })
        .end(202, &[(201, 1, 1)])
        .breaks(&[claim::HANDLES_ARE_UNIQUE]);
}

#[test]
fn an_index_that_goes_back_is_found() {
    let story = || Story::new().op(1, checkout(1), granted(202)).op(2, checkout(1), granted(201));
    let end = [(201, 2, 1), (202, 1, 1)];
    story().end(202, &end).breaks(&[claim::REAL_TIME_ORDER]);
    // Side by side any order is right.
    story().between(31, 55).end(202, &end).judged_good();
}

#[test]
fn a_checkout_in_the_wrong_hands_is_found() {
    for shown in [(201, 2, 1), (201, 1, 2)] {
        let story = Story::new().op(1, checkout(1), granted(201));
        story.end(201, &[shown]).breaks(&[claim::SHOWN_AS_GRANTED]);
    }
}

#[test]
fn a_server_that_miscounts_is_found() {
    let story = || Story::new().op(1, checkout(1), granted(201)).end(201, &[(201, 1, 1)]);
    let count = |read: &mut Read, issued, in_use| {
        read.features.insert("f1".to_owned(), Count { issued: Seats(issued), in_use: Seats(in_use) });
    };
    story().edit(|read| count(read, LICENSED, 2)).breaks(&[claim::COUNTS_ARE_RIGHT]);
    story().edit(|read| count(read, LICENSED + 1, 1)).breaks(&[claim::COUNTS_ARE_RIGHT]);
    story()
        .edit(|read| count(read, LICENSED, 4))
        .breaks(&[claim::COUNTS_ARE_RIGHT, claim::SHOWN_WITHIN_LICENSE]);
}

#[test]
fn a_lost_session_is_found() {
    Story::new().op(1, checkout(1), Told::SessionLost).end(201, &[]).breaks(&[claim::SESSIONS_LIVE]);
}

#[test]
fn two_masters_at_a_time_are_found() {
    let read = |story: Story, role, asked_us, answered_us| {
        story.shown(role, 102, &[]).said_by_the_master(asked_us, answered_us)
    };
    // The primary was master from 1,010 to 41,000 us without a gap.
    let story = || {
        let story = Story::new();
        [1_000, 21_000, 41_000]
            .into_iter()
            .fold(story, |story, at_us| read(story, Role::Primary, at_us, at_us + 10))
            .end(102, &[])
    };
    read(story(), Role::Secondary, 30_000, 30_010).breaks(&[claim::ONE_MASTER]);
    read(story(), Role::Secondary, 2_000, 40_000).breaks(&[claim::ONE_MASTER]);
    // It may have said so before or after.
    read(story(), Role::Secondary, 500, 30_000).judged_good();
    read(story(), Role::Secondary, 30_000, 50_000).judged_good();
    // So does a word to somebody who asks for nothing else.
    let mut word = story();
    let look = |asked_us, answered_us| Look { server: Role::Secondary, asked_us, answered_us, master: true };
    word.history.looks.push(look(500, 30_000));
    judge(&word.history).unwrap();
    word.history.looks.push(look(2_000, 30_000));
    word.breaks(&[claim::ONE_MASTER]);
    // With that much time between two reads the mastership may have gone there and back.
    let gap = read(read(story(), Role::Primary, 400_000, 400_010), Role::Secondary, 200_000, 200_010);
    gap.judged_good();
}

#[test]
fn a_run_whose_end_nobody_saw_is_not_judged_good() {
    let story = || Story::new().op(1, checkout(1), granted(201));
    assert!(!story().judged_good().is_determined(), "nobody looked");
    story().shown(Role::Primary, 201, &[(201, 1, 1)]).breaks(&[claim::END_IS_SEEN]);
    let two = story().shown(Role::Primary, 201, &[(201, 1, 1)]).shown(Role::Secondary, 300, &[(201, 1, 1)]);
    two.shown(Role::Tertiary, 200, &[]).breaks(&[claim::END_IS_SEEN]);
}

#[test]
fn what_a_client_did_not_wait_for_is_back_in_the_end() {
    let story = || Story::new().op(1, checkout(1), Told::GivenUp).shown(Role::Primary, 201, &[(201, 1, 1)]);
    story().end(205, &[]).judged_good();
    story().end(205, &[(201, 1, 1)]).breaks(&[claim::NO_GHOSTS]);
    // Another one of its requests may be what is out.
    story().op(1, checkout(1), unknown()).end(205, &[(201, 1, 1)]).judged_good();
}

#[test]
fn an_operator_may_take_away_what_its_client_was_never_told_of() {
    let remove = || Kind::Remove { handle: Handle(201) };
    let doubtful = |told| Story::new().op(1, checkout(1), told);
    for told in [Told::GivenUp, unknown()] {
        doubtful(told.clone()).op(9, remove(), returned(205)).end(210, &[]).judged_good();
        // But not twice, and nobody else gives it back.
        let twice = doubtful(told.clone()).op(9, remove(), returned(205)).op(9, remove(), returned(206));
        twice.breaks(&[claim::COUNTED_ONCE]);
        doubtful(told).op(2, checkin(201), returned(205)).breaks(&[claim::NO_GHOSTS]);
    }
    // What was asked for later is no explanation, nor is what was denied.
    let later = Story::new().op(1, checkout(3), granted(202)).op(9, remove(), returned(205));
    later.op(1, checkout(1), unknown()).breaks(&[claim::NO_GHOSTS]);
}
