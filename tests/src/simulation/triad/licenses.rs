//! The licenses of the simulation: one vendor's, which the servers begin with, and another's, which may come when the
//! rules allow several. Both have a feature of the same name. Lines of the first end or start at midnight, and one of its features has
//! other seats in each license that follows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use licensing_client::SearchPath;
use licensing_core::edition::Edition;
use licensing_core::id::{Role, Seats};
use licensing_core::state::State;

use super::kind::Kind;
use super::names::seen;
use crate::history::{Later, Line};
use crate::simulation::calendar::midnight_ms;
use crate::simulation::nodes::HasNode;
use crate::simulation::service::{Service, Site};

/// The vendor that comes later.
pub(super) const SECOND: &str = "zeta";

/// The feature whose seats change with the license.
pub(super) const CHANGING: &str = "f2";

/// What it has at first.
pub(super) const AT_FIRST: Seats = Seats(3);

/// Lines of the first vendor that end or start: feature, seats, whether they end.
const DATED: [(&str, u32, Option<bool>); 5] = [
    ("ends", 3, Some(true)),
    ("starts", 2, Some(false)),
    ("turns", 1, None),
    ("turns", 3, Some(true)),
    ("turns", 1, Some(false)),
];

/// A feature: its name in histories, its vendor, its name in the license, its seats.
struct Feature(&'static str, &'static str, &'static str, u32);

const FEATURES: [Feature; 4] = [
    Feature("f1", "demo", "f1", 10),
    Feature(CHANGING, "demo", CHANGING, AT_FIRST.0),
    Feature("zeta:f1", SECOND, "f1", 4),
    Feature("z1", SECOND, "z1", 3),
];

/// Seats of every feature: of those with dates the most there can be.
pub(super) fn licensed() -> BTreeMap<String, Seats> {
    let constant = FEATURES.iter().map(|Feature(name, _, _, seats)| ((*name).to_owned(), Seats(*seats)));
    let most = |lines: Vec<Line>| Seats(lines.iter().map(|line| line.seats.0).sum());
    constant.chain(dated().into_iter().map(|(name, lines)| (name, most(lines)))).collect()
}

/// The lines that end or start.
pub(super) fn dated() -> BTreeMap<String, Vec<Line>> {
    let mut features: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for (name, seats, ends) in DATED {
        let at = |wanted| (ends == Some(wanted)).then(midnight_ms);
        let line = Line { seats: Seats(seats), from_ms: at(false), until_ms: at(true) };
        features.entry(name.to_owned()).or_default().push(line);
    }
    features
}

/// What comes later.
pub(super) fn later() -> BTreeMap<String, Later> {
    let own = FEATURES.iter().filter(|Feature(_, vendor, ..)| *vendor == SECOND);
    let features = own.map(|Feature(name, ..)| (*name).to_owned()).collect();
    [(SECOND.to_owned(), Later { edition: Edition::SEVERAL_VENDORS.0, features })].into()
}

/// The name of a vendor's feature in histories, if anybody uses it.
pub(super) fn name_of(vendor: &str, feature: &str) -> Option<&'static str> {
    if let Some((name, ..)) = DATED.iter().find(|(name, ..)| vendor == "demo" && *name == feature) {
        return Some(name);
    }
    let mut features = FEATURES.iter();
    let found = features.find(|Feature(_, of, own, _)| *of == vendor && *own == feature);
    found.map(|Feature(name, ..)| *name)
}

/// How a client asks for what histories call so: the vendor where the feature's name alone does not say it, and the name.
pub(super) fn asked(name: &str) -> (Option<String>, String) {
    let Some(Feature(_, vendor, own, _)) = FEATURES.iter().find(|Feature(known, ..)| *known == name) else {
        return (None, name.to_owned());
    };
    let is_shared = FEATURES.iter().filter(|Feature(_, _, other, _)| other == own).count() > 1;
    (is_shared.then(|| (*vendor).to_owned()), (*own).to_owned())
}

/// A license of the first vendor; `third` is the number of seats of a feature that nobody uses, so that files
/// differ. `changing` is that of [`CHANGING`]; with 0 it is not there. The servers begin with [`AT_FIRST`].
pub(super) fn first(kind: Kind, third: u32, changing: Seats) -> String {
    let line = |(name, seats, ends): &(&str, u32, Option<bool>)| {
        let (expiry, start) = match ends {
            Some(true) => ("31-dec-2025", ""),
            Some(false) => ("permanent", " START=1-jan-2026"),
            None => ("permanent", ""),
        };
        format!("INCREMENT {name} demo 1.0 {expiry} {seats}{start} SIGN=\"0\"\n")
    };
    let dated: String = DATED.iter().map(line).collect();
    format!("{}{dated}FEATURE f3 demo 1.0 permanent {third} SIGN=\"0\"\n", text(kind, "demo", changing))
}

/// The license that comes later.
pub(super) fn second(kind: Kind) -> String {
    text(kind, SECOND, AT_FIRST)
}

fn text(kind: Kind, of: &str, changing: Seats) -> String {
    let servers = match kind {
        Kind::Single => "SERVER memory ANY 2001\n".to_owned(),
        Kind::Triad | Kind::Upgrade => {
            "SERVER memory ANY 2001 PRIMARY_IS_MASTER\nSERVER memory ANY 2002\nSERVER memory ANY 2003\n"
                .to_owned()
        }
    };
    let is_there = |name: &str| name != CHANGING || changing > Seats(0);
    let own = FEATURES.iter().filter(|Feature(_, vendor, name, _)| *vendor == of && is_there(name));
    let line = |Feature(_, vendor, name, seats): &Feature| {
        let seats = if *name == CHANGING { changing.0 } else { *seats };
        format!("FEATURE {name} {vendor} 1.0 permanent {seats} SIGN=\"0\"\n")
    };
    servers + &format!("VENDOR {of}\n") + &own.map(line).collect::<String>()
}

/// Where clients look for the servers.
pub(super) fn search_path(kind: Kind) -> SearchPath {
    let path = match kind {
        Kind::Single => "2001@memory",
        Kind::Triad | Kind::Upgrade => "2001@memory,2002@memory,2003@memory",
    };
    path.parse().expect("a search path")
}

/// The latest time that any server has applied.
#[derive(Default)]
pub(super) struct Days(AtomicU64);

impl Days {
    pub(super) fn look<S: Service<Server: HasNode>>(&self, site: &Site<S>) {
        let clock = |role: &Role| Some(site.servers()[role.place()].as_ref()?.node().look(State::clock).0);
        let latest = Role::ALL.iter().filter_map(clock).max().unwrap_or_default();
        let before = self.0.fetch_max(latest, Ordering::SeqCst);
        if (1..midnight_ms()).contains(&before) && latest >= midnight_ms() {
            site.count(seen::MIDNIGHT);
        }
    }
}
