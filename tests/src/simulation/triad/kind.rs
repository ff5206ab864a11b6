//! Which of the reference server's services is played.

use std::fmt;
use std::str::FromStr;

use licensing_core::id::Role;

use super::names::seen as names;
use crate::simulation::faults::seen as faults;
use crate::simulation::versions::seen as versions;

/// A service to play.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Three servers of the present version.
    #[default]
    Triad,
    /// Three servers that are upgraded, and given their version before, in the middle of work.
    Upgrade,
    /// One server, upgraded too.
    Single,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Triad, Kind::Upgrade, Kind::Single];

    /// The kind a seed plays when nobody says which: of five, two triads, two upgrades, one single server.
    pub fn of(seed: u64) -> Kind {
        match seed % 5 {
            0 => Kind::Single,
            1 | 3 => Kind::Upgrade,
            _ => Kind::Triad,
        }
    }

    /// Its servers.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Kind::Single => &Role::ALL[..1],
            Kind::Triad | Kind::Upgrade => &Role::ALL,
        }
    }

    /// Whether its servers are of two versions.
    pub fn has_versions(self) -> bool {
        self != Kind::Triad
    }

    /// What a run set of this kind must have seen: otherwise it proves nothing about it.
    pub fn must_see(self) -> Vec<&'static str> {
        let always = faults::ALL.iter().chain(names::ALL);
        match self {
            Kind::Triad => always.copied().collect(),
            Kind::Upgrade => always.chain(names::UPGRADE).chain(versions::ALL).copied().collect(),
            Kind::Single => {
                let all = always.chain(names::UPGRADE).chain(versions::ALL).copied();
                let missing = [faults::NOT_ALONE, names::NOT_ALONE, versions::NOT_ALONE].concat();
                all.filter(|what| !missing.contains(what)).collect()
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Triad => "triad",
            Kind::Upgrade => "upgrade",
            Kind::Single => "single",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        let known = Kind::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| format!("there is no kind `{text}`: triad, upgrade or single"))
    }
}
