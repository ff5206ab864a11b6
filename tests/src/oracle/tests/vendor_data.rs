//! The judge is judged: data kept with checkouts.

use std::collections::{BTreeMap, BTreeSet};

use licensing_core::id::{Handle, LogIndex, Role, Seats, SessionId};

use crate::history::{Count, Held, History, Kind, Operation, Read, Told, vendor_data};
use crate::oracle::{claim, judge};

/// Client 1, whose session is 1, has been granted checkout 2, with data or without.
struct Story(History);

impl Story {
    fn new(with_data: Option<bool>) -> Story {
        let licensed = BTreeMap::from([("f".to_owned(), Seats(3))]);
        let story = Story(History::new("story", 0, licensed));
        let granted = Told::Granted { index: LogIndex(2), handle: Handle(2), with_data };
        let checkout = Kind::Checkout { feature: "f".to_owned(), seats: Seats(1) };
        story.op(Kind::Open, Told::Opened { session: SessionId(1) }).op(checkout, granted)
    }

    fn op(mut self, kind: Kind, told: Told) -> Story {
        let invoked_us = 10 * (1 + self.0.operations.len() as u64);
        let completed_us = told.index().map(|_| invoked_us + 5);
        self.0.operations.push(Operation { client: 1, kind, invoked_us, completed_us, told });
        self
    }

    fn set(self, told: Told) -> Story {
        self.op(Kind::SetData { handle: Handle(2) }, told)
    }

    fn shown(mut self, server: Role, applied: u64, data: Option<String>) -> Story {
        let held =
            Held { handle: Handle(2), session: SessionId(1), feature: "f".to_owned(), seats: Seats(1), data };
        let at_us = 1000 + self.0.reads.len() as u64 * 10;
        self.0.reads.push(Read {
            server,
            asked_us: at_us,
            answered_us: at_us,
            master: false,
            applied: LogIndex(applied),
            edition: None,
            features: BTreeMap::from([("f".to_owned(), Count { issued: Seats(3), in_use: Seats(1) })]),
            held: vec![held],
        });
        self
    }

    /// All servers show the later text in the end.
    fn judged(mut self) -> BTreeSet<&'static str> {
        for role in Role::ALL {
            self = self.shown(role, 9, later());
        }
        let found = judge(&self.0).err().unwrap_or_default();
        found.iter().map(|violation| violation.claim).collect()
    }
}

fn first() -> Option<String> {
    Some(vendor_data::at_first(1, "f", Seats(1)))
}

fn later() -> Option<String> {
    Some(vendor_data::later(1, Handle(2)))
}

fn set(index: u64) -> Told {
    Told::DataSet { index: LogIndex(index) }
}

fn unknown() -> Told {
    Told::Unknown { why: "no answer".to_owned() }
}

#[test]
fn what_was_put_there_is_shown_from_there_on() {
    let good =
        Story::new(Some(true)).set(set(5)).shown(Role::Primary, 4, first()).shown(Role::Tertiary, 5, later());
    assert_eq!(good.judged(), BTreeSet::new());
    let without = Story::new(Some(false)).set(unknown()).shown(Role::Primary, 4, None);
    assert_eq!(without.judged(), BTreeSet::new());
}

#[test]
fn each_way_to_lose_it_is_found() {
    let stories = || {
        [
            ("was never kept", Story::new(Some(true)).set(set(5)).shown(Role::Primary, 3, None)),
            (
                "is anothers",
                Story::new(Some(true)).set(set(5)).shown(Role::Primary, 3, Some("client 2".to_owned())),
            ),
            ("came from nowhere", Story::new(Some(false)).set(set(5)).shown(Role::Primary, 3, first())),
            ("was set and is not there", Story::new(Some(true)).set(set(5)).shown(Role::Primary, 6, first())),
            (
                "went back",
                Story::new(Some(true)).set(unknown()).shown(Role::Primary, 5, later()).shown(
                    Role::Secondary,
                    6,
                    first(),
                ),
            ),
            (
                "differs",
                Story::new(Some(true)).set(unknown()).shown(Role::Primary, 5, later()).shown(
                    Role::Secondary,
                    5,
                    first(),
                ),
            ),
            ("nobody set it", Story::new(Some(true)).shown(Role::Primary, 3, first())),
        ]
    };
    for (what, story) in stories() {
        assert_eq!(story.judged(), BTreeSet::from([claim::DATA_STAYS]), "{what}");
    }
}

#[test]
fn data_of_somebody_elses_making_is_not_judged() {
    let own =
        Story::new(None).shown(Role::Primary, 3, Some("job 4711".to_owned())).shown(Role::Primary, 4, None);
    assert_eq!(own.judged(), BTreeSet::new());
}
