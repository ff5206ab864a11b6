//! Editions: which rules the three servers have agreed to apply.
//!
//! Servers of neighbouring versions form one triad while they are upgraded one by one, and must come to the same answers
//! meanwhile. So whatever changes what [`apply`](crate::apply) does belongs to an edition, and sleeps until an entry of the
//! log raises the triad's edition to it. The master proposes that once all three servers know the edition; from then on a
//! server that does not know it can no longer take part.
//!
//! A new rule asks `State::has_edition`, and gets a line in the table below.
//!
//! | edition | what it brings |
//! |---|---|
//! | 1 | the first one |
//! | 2 | licenses of several vendors side by side ([`Edition::SEVERAL_VENDORS`]) |
//! | 3 | vendor data of sessions, checkouts and the triad ([`Edition::VENDOR_DATA`]) |

use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of rules, by number, from 1. Each contains all earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Edition(pub u32);

impl Edition {
    /// What every server knows, and a triad begins with.
    pub const FIRST: Edition = Edition(1);
    /// Licenses of several vendors are served side by side. Before it, one vendor.
    pub const SEVERAL_VENDORS: Edition = Edition(2);
    /// Sessions, checkouts and the triad itself have vendor data.
    pub const VENDOR_DATA: Edition = Edition(3);
    /// The newest that this version knows.
    pub const NEWEST: Edition = Edition(3);
}

impl Default for Edition {
    fn default() -> Edition {
        Edition::FIRST
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The log or a snapshot needs rules that this server does not know: it must not go on, for it would come to other
/// answers than its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the servers agreed on edition {needed} of the rules, this server knows up to {known}: upgrade this server"
)]
pub struct UnknownEdition {
    /// What is needed.
    pub needed: Edition,
    /// The newest that is known here.
    pub known: Edition,
}
