//! What may be answered. A "no" is an answer with a reason ([`Denial`]), never an error; "could not find out" does
//! not exist here, only in the crates that carry questions to the state.

mod codes;
mod denial;

use serde::{Deserialize, Serialize};

use crate::edition::Edition;
use crate::id::{Handle, LogIndex, Role, Seats, SessionId, Timestamp};

pub use denial::Denial;

/// The answer to one proposal, with the witness of where in the log it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Index of the entry that decided it. A resent request gets the index of its first decision.
    pub index: LogIndex,
    /// State time of the decision.
    pub at: Timestamp,
    /// The decision.
    pub outcome: Outcome,
}

/// A decision of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Outcome {
    /// The license file is served from now on.
    Installed {
        /// How many pools it made.
        pools: u32,
    },
    /// The session exists.
    SessionOpened {
        /// Its name.
        session: SessionId,
    },
    /// The session is gone and its seats are free.
    SessionClosed {
        /// What it held.
        returned: Vec<Handle>,
    },
    /// Silent sessions are gone and their seats are free.
    Expired {
        /// Those that were ended; the others had shown life or were gone already.
        sessions: Vec<SessionId>,
    },
    /// The seats are taken.
    Granted {
        /// Name of the checkout.
        handle: Handle,
        /// How many seats it holds.
        seats: Seats,
    },
    /// The seats are free again.
    Returned {
        /// Name of the checkout.
        handle: Handle,
    },
    /// Seats were taken away.
    Removed {
        /// Names of the checkouts.
        handles: Vec<Handle>,
    },
    /// The maintenance mark of a server is as asked.
    Maintained {
        /// Which server.
        role: Role,
        /// Whether it is kept from being master.
        on: bool,
    },
    /// The operator's choice of a master is as asked.
    Preferred {
        /// `None` leaves it to the rules.
        role: Option<Role>,
    },
    /// Time passed.
    Ticked,
    /// No, and why.
    Denied(Denial),
    /// A part of a license is kept.
    Staged {
        /// How many parts there are now.
        parts: u32,
    },
    /// The rules of the edition are applied.
    EditionRaised {
        /// The edition.
        edition: Edition,
    },
    /// The edition is held, or not, as asked.
    EditionHeld {
        /// Whether it is held.
        on: bool,
    },
    /// The vendor data is as asked.
    VendorDataSet {
        /// The entry that set what is there now; `None` when nothing is there.
        set_at: Option<LogIndex>,
    },
}
