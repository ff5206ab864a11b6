//! The judge is judged: vendors that come later, and the edition of the rules that lets them.

use std::collections::{BTreeMap, BTreeSet};

use licensing_core::id::{Handle, LogIndex, Role, Seats, SessionId};

use crate::history::{Count, History, Kind, Later, Operation, Read, Told};
use crate::oracle::{Verdict, claim, judge};

/// One client, whose session is 1, and an administrator; `f` is licensed from the beginning, `z` by edition 2.
struct Story(History);

const SEATS: Seats = Seats(3);

fn installed(index: u64) -> Told {
    Told::Installed { index: LogIndex(index) }
}

fn denied(index: u64) -> Told {
    Told::Denied { index: LogIndex(index), why: "edition 2 allows both".to_owned() }
}

fn granted(index: u64) -> Told {
    Told::Granted { index: LogIndex(index), handle: Handle(index), with_data: None }
}

fn not_licensed(index: u64) -> Told {
    Told::NotLicensed { index: LogIndex(index) }
}

impl Story {
    fn new() -> Story {
        let licensed = ["f", "z"].map(|name| (name.to_owned(), SEATS)).into();
        let mut history = History::new("story", 0, licensed);
        let later = Later { edition: 2, features: vec!["z".to_owned()] };
        history.about.later.insert("zeta".to_owned(), later);
        Story(history).op(Kind::Open, Told::Opened { session: SessionId(1) })
    }

    fn op(mut self, kind: Kind, told: Told) -> Story {
        let invoked_us = 10 * self.0.operations.len() as u64;
        let completed_us = told.index().map(|_| invoked_us + 5);
        self.0.operations.push(Operation { client: 1, kind, invoked_us, completed_us, told });
        self
    }

    fn install(self, told: Told) -> Story {
        self.op(Kind::Install { vendor: "zeta".to_owned() }, told)
    }

    fn checkout(self, feature: &str, told: Told) -> Story {
        self.op(Kind::Checkout { feature: feature.to_owned(), seats: SEATS }, told)
    }

    /// A server shows this edition, and whether it serves the later vendor; nothing is out.
    fn shown(mut self, applied: u64, edition: u32, serves: bool) -> Story {
        let count = Count { issued: SEATS, in_use: Seats(0) };
        let names = if serves { vec!["f", "z"] } else { vec!["f"] };
        self.0.reads.push(Read {
            server: Role::Secondary,
            asked_us: 0,
            answered_us: 0,
            master: false,
            applied: LogIndex(applied),
            edition: Some(edition),
            features: names.into_iter().map(|name| (name.to_owned(), count)).collect::<BTreeMap<_, _>>(),
            held: Vec::new(),
        });
        self
    }

    /// All servers show this in the end.
    fn judged(mut self, applied: u64, edition: u32, serves: bool) -> Result<Verdict, BTreeSet<&'static str>> {
        for role in Role::ALL {
            self = self.shown(applied, edition, serves);
            self.0.reads.last_mut().unwrap().server = role;
        }
        judge(&self.0).map_err(|found| found.iter().map(|violation| violation.claim).collect())
    }
}

#[test]
fn a_vendor_that_comes_when_the_rules_allow_it_is_good() {
    let checkin = Kind::Checkin { handle: Handle(8) };
    let verdict = Story::new()
        .install(denied(3))
        .checkout("z", not_licensed(4))
        .shown(4, 1, false)
        .shown(5, 2, false)
        .install(installed(7))
        .checkout("z", granted(8))
        .op(checkin, Told::Returned { index: LogIndex(9) })
        .judged(9, 2, true)
        .unwrap();
    assert_eq!((verdict.denied, verdict.installed, verdict.granted), (2, 1, 1));
}

#[test]
fn a_vendor_that_comes_too_early_is_found() {
    // By the answer, by a grant, by what a server shows.
    let told = Story::new().install(installed(3)).shown(4, 1, true).judged(5, 1, true);
    assert_eq!(told, Err(BTreeSet::from([claim::RULES_SLEEP])));
    let returned = Told::Returned { index: LogIndex(4) };
    let early = Story::new().checkout("z", granted(3)).op(Kind::Checkin { handle: Handle(3) }, returned);
    assert_eq!(early.judged(5, 1, false), Err(BTreeSet::from([claim::RULES_SLEEP])));
    let shown = Story::new().shown(4, 1, true).judged(5, 2, true);
    assert_eq!(shown, Err(BTreeSet::from([claim::RULES_SLEEP])));
}

#[test]
fn a_denial_that_was_true_before_is_found() {
    let install = Story::new().shown(4, 2, false).install(denied(5)).judged(5, 2, false);
    assert_eq!(install, Err(BTreeSet::from([claim::DENIALS_ARE_TRUE])));
    let checkout = Story::new().install(installed(4)).checkout("z", not_licensed(5)).judged(5, 2, true);
    assert_eq!(checkout, Err(BTreeSet::from([claim::DENIALS_ARE_TRUE])));
    let licensed = Story::new().checkout("f", not_licensed(5)).judged(5, 1, false);
    assert_eq!(licensed, Err(BTreeSet::from([claim::DENIALS_ARE_TRUE])));
}

#[test]
fn what_goes_back_is_found() {
    let edition = Story::new().shown(4, 2, false).judged(5, 1, false);
    assert_eq!(edition, Err(BTreeSet::from([claim::EDITIONS_STAY])));
    let parted = Story::new().shown(5, 1, false).judged(5, 2, false);
    assert_eq!(parted, Err(BTreeSet::from([claim::EDITIONS_STAY])));
    let license = Story::new().shown(4, 2, true).judged(5, 2, false);
    assert_eq!(license, Err(BTreeSet::from([claim::LICENSES_STAY])));
}
