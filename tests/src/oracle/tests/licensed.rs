//! The judge is judged: licenses that change in the middle of a run, and days that end.

use std::collections::{BTreeMap, BTreeSet};

use licensing_core::id::{Handle, LogIndex, Role, Seats, SessionId};

use crate::history::{Count, Date, History, Kind, Line, Operation, Read, Told};
use crate::oracle::{Verdict, claim, judge};

/// One client, whose session is 1, and an administrator. There are three seats of `f` until another license comes; `ends` has
/// three until 1000 ms, `starts` two from then on.
struct Story(History);

fn granted(index: u64) -> Told {
    Told::Granted { index: LogIndex(index), handle: Handle(index), with_data: None }
}

fn refused(index: u64, in_use: u32) -> Told {
    Told::NoFreeSeats { index: LogIndex(index), in_use: Seats(in_use) }
}

fn too_many(index: u64) -> Told {
    Told::MoreThanLicensed { index: LogIndex(index) }
}

fn not_licensed(index: u64) -> Told {
    Told::NotLicensed { index: LogIndex(index) }
}

fn expired(index: u64) -> Told {
    Told::Expired { index: LogIndex(index) }
}

fn not_started(index: u64) -> Told {
    Told::NotStarted { index: LogIndex(index) }
}

fn installed(index: u64) -> Told {
    Told::Installed { index: LogIndex(index) }
}

fn unknown() -> Told {
    Told::Unknown { why: "no answer".to_owned() }
}

impl Story {
    fn new() -> Story {
        let licensed = [("f", 3), ("ends", 3), ("starts", 2)];
        let licensed = licensed.map(|(name, seats)| (name.to_owned(), Seats(seats))).into();
        let mut history = History::new("story", 0, licensed);
        let ends = Line { seats: Seats(3), from_ms: None, until_ms: Some(1000) };
        let starts = Line { seats: Seats(2), from_ms: Some(1000), until_ms: None };
        history.about.dated = [("ends".to_owned(), vec![ends]), ("starts".to_owned(), vec![starts])].into();
        Story(history).op(Kind::Open, Told::Opened { session: SessionId(1) })
    }

    fn op(mut self, kind: Kind, told: Told) -> Story {
        let invoked_us = 10 * self.0.operations.len() as u64;
        let completed_us = Some(invoked_us + 5);
        self.0.operations.push(Operation { client: 1, kind, invoked_us, completed_us, told });
        self
    }

    fn license(self, seats: u32, told: Told) -> Story {
        let licensed = BTreeMap::from([("f".to_owned(), Seats(seats))]);
        self.op(Kind::Relicense { licensed }, told)
    }

    fn checkout(self, feature: &str, seats: u32, told: Told) -> Story {
        self.op(Kind::Checkout { feature: feature.to_owned(), seats: Seats(seats) }, told)
    }

    fn date(mut self, index: u64, at_ms: u64) -> Story {
        self.0.dates.insert(Date { index: LogIndex(index), at_ms });
        self
    }

    /// All servers show this in the end: of one feature the seats there are, and one checkout of it.
    fn judged(
        mut self,
        applied: u64,
        feature: &str,
        issued: u32,
        out: Option<(u64, u32)>,
    ) -> Result<Verdict, BTreeSet<&'static str>> {
        for server in Role::ALL {
            let in_use = Seats(out.map_or(0, |(_, seats)| seats));
            let held = out.map(|(handle, seats)| crate::history::Held {
                handle: Handle(handle),
                session: SessionId(1),
                feature: feature.to_owned(),
                seats: Seats(seats),
                data: None,
            });
            self.0.reads.push(Read {
                server,
                asked_us: 0,
                answered_us: 0,
                master: false,
                applied: LogIndex(applied),
                edition: None,
                features: [(feature.to_owned(), Count { issued: Seats(issued), in_use })].into(),
                held: held.into_iter().collect(),
            });
        }
        judge(&self.0).map_err(|found| found.iter().map(|violation| violation.claim).collect())
    }
}

#[test]
fn seats_come_and_go_with_the_license() {
    let verdict = Story::new()
        .checkout("f", 3, granted(2))
        .license(1, installed(3))
        .checkout("f", 1, refused(4, 3))
        .checkout("f", 2, too_many(5))
        .license(0, installed(6))
        .checkout("f", 1, not_licensed(7))
        .license(5, installed(8))
        .checkout("f", 3, refused(9, 3))
        .judged(9, "f", 5, Some((2, 3)))
        .unwrap();
    assert_eq!((verdict.granted, verdict.denied, verdict.installed), (1, 4, 3));
}

#[test]
fn seats_of_another_license_are_found() {
    let oversubscribed = Story::new().license(1, installed(2)).checkout("f", 2, granted(3));
    let told = oversubscribed.judged(3, "f", 1, Some((3, 2)));
    assert_eq!(told, Err(BTreeSet::from([claim::NEVER_OVERSUBSCRIBED])));
    let denied = Story::new().license(1, installed(2)).license(5, installed(3)).checkout("f", 2, too_many(4));
    assert_eq!(denied.judged(4, "f", 5, None), Err(BTreeSet::from([claim::DENIALS_ARE_TRUE])));
    let unnamed = Story::new().license(0, installed(2)).checkout("f", 1, refused(3, 0));
    assert_eq!(unnamed.judged(3, "f", 0, None), Err(BTreeSet::from([claim::DENIALS_ARE_TRUE])));
    let shown = Story::new().license(1, installed(2)).judged(3, "f", 3, None);
    assert_eq!(shown, Err(BTreeSet::from([claim::COUNTS_ARE_RIGHT])));
}

#[test]
fn a_license_of_which_nobody_knows_may_be_there_until_a_later_one_is() {
    let maybe = |story: Story| story.license(1, unknown()).checkout("f", 2, too_many(3));
    maybe(Story::new()).judged(3, "f", 3, None).unwrap();
    maybe(Story::new()).judged(3, "f", 1, None).unwrap();
    let later = Story::new().license(1, unknown()).license(5, installed(2)).checkout("f", 2, too_many(3));
    assert_eq!(later.judged(3, "f", 5, None), Err(BTreeSet::from([claim::DENIALS_ARE_TRUE])));
}

#[test]
fn lines_end_and_start_with_the_day() {
    let days = || Story::new().date(2, 999).date(3, 999).date(4, 1000).date(5, 1001);
    let told = days()
        .checkout("ends", 2, granted(2))
        .checkout("starts", 1, not_started(3))
        .checkout("ends", 1, expired(4))
        .checkout("starts", 1, granted(5))
        .op(Kind::Checkin { handle: Handle(5) }, Told::Returned { index: LogIndex(6) });
    told.judged(6, "ends", 0, Some((2, 2))).unwrap();
    let over = days().checkout("ends", 2, granted(4)).judged(5, "ends", 0, Some((4, 2)));
    assert_eq!(over, Err(BTreeSet::from([claim::NEVER_OVERSUBSCRIBED])));
    let early = days().checkout("starts", 2, granted(3)).judged(3, "starts", 0, Some((3, 2)));
    assert_eq!(early, Err(BTreeSet::from([claim::NEVER_OVERSUBSCRIBED])));
    for (feature, told) in [("ends", expired(3)), ("starts", not_started(4)), ("ends", not_started(5))] {
        let denied = days().checkout(feature, 1, told).judged(5, "starts", 2, None);
        assert_eq!(denied, Err(BTreeSet::from([claim::DENIALS_ARE_TRUE])), "{feature}");
    }
    // Nobody was told the time: it lies between the times of the neighbours.
    let between = Story::new().date(2, 999).date(5, 1000);
    between.checkout("ends", 1, expired(3)).judged(5, "ends", 0, None).unwrap();
}

#[test]
fn time_that_goes_back_is_found() {
    let back = Story::new().date(2, 999).date(3, 998).judged(3, "f", 3, None);
    assert_eq!(back, Err(BTreeSet::from([claim::TIME_GOES_ON])));
    let parted = Story::new().date(2, 998).date(2, 999).judged(3, "f", 3, None);
    assert_eq!(parted, Err(BTreeSet::from([claim::TIME_GOES_ON])));
}
