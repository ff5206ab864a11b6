//! The licenses of the simulation: one vendor's, which the servers begin with, and another's, which may come when the
//! rules allow several. Both have a feature of the same name.

use std::collections::BTreeMap;

use licensing_client::SearchPath;
use licensing_core::edition::Edition;
use licensing_core::id::Seats;

use super::kind::Kind;
use crate::history::Later;

/// The vendor that comes later.
pub(super) const SECOND: &str = "zeta";

/// A feature: its name in histories, its vendor, its name in the license, its seats.
struct Feature(&'static str, &'static str, &'static str, u32);

const FEATURES: [Feature; 4] = [
    Feature("f1", "demo", "f1", 10),
    Feature("f2", "demo", "f2", 3),
    Feature("zeta:f1", SECOND, "f1", 4),
    Feature("z1", SECOND, "z1", 3),
];

/// Seats of every feature.
pub(super) fn licensed() -> BTreeMap<String, Seats> {
    FEATURES.iter().map(|Feature(name, _, _, seats)| ((*name).to_owned(), Seats(*seats))).collect()
}

/// What comes later.
pub(super) fn later() -> BTreeMap<String, Later> {
    let own = FEATURES.iter().filter(|Feature(_, vendor, ..)| *vendor == SECOND);
    let features = own.map(|Feature(name, ..)| (*name).to_owned()).collect();
    [(SECOND.to_owned(), Later { edition: Edition::SEVERAL_VENDORS.0, features })].into()
}

/// The name of a vendor's feature in histories, if anybody uses it.
pub(super) fn name_of(vendor: &str, feature: &str) -> Option<&'static str> {
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

/// The license the servers begin with; `third` is the number of seats of a feature that nobody uses, so that files
/// differ.
pub(super) fn first(kind: Kind, third: u32) -> String {
    format!("{}FEATURE f3 demo 1.0 permanent {third} SIGN=\"0\"\n", text(kind, "demo"))
}

/// The license that comes later.
pub(super) fn second(kind: Kind) -> String {
    text(kind, SECOND)
}

fn text(kind: Kind, of: &str) -> String {
    let servers = match kind {
        Kind::Single => "SERVER memory ANY 2001\n".to_owned(),
        Kind::Triad | Kind::Upgrade => {
            "SERVER memory ANY 2001 PRIMARY_IS_MASTER\nSERVER memory ANY 2002\nSERVER memory ANY 2003\n"
                .to_owned()
        }
    };
    let own = FEATURES.iter().filter(|Feature(_, vendor, ..)| *vendor == of);
    let line = |Feature(_, vendor, name, seats): &Feature| {
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
