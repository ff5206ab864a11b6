//! What a session may ask for.

use serde::{Deserialize, Serialize};

use crate::id::{Handle, Role, Seats, Token};

/// What a session can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Take seats of a feature.
    Checkout {
        /// Whose feature; `None` asks all vendors, in the order of their names.
        vendor: Option<String>,
        /// Feature name as in the license file.
        feature: String,
        /// Version needed; granted when it is not above the licensed version.
        version: String,
        /// How many seats, at least 1, all or none.
        seats: Seats,
    },
    /// Give seats back.
    Checkin {
        /// Which ones.
        handle: Handle,
        /// The secret of the session that holds them, when that is not the asking session.
        owner: Option<Token>,
    },
    /// Take seats away from whoever holds them (`lmremove`). The server lets only administrators ask.
    Remove(Removal),
    /// Keep a server from being master, or allow it again.
    Maintain {
        /// Which server.
        role: Role,
        /// `true` keeps it from being master.
        on: bool,
    },
    /// Ask for a certain master, or leave it to the rules again.
    PreferMaster {
        /// `None` leaves it to the rules.
        role: Option<Role>,
    },
}

/// Which checkouts to take away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Removal {
    /// The one with this handle.
    Handle(Handle),
    /// All that match these four, as `lmremove feature user host display`.
    Holder {
        /// Feature name.
        feature: String,
        /// User of the session.
        user: String,
        /// Host of the session.
        host: String,
        /// Display of the session.
        display: String,
    },
}
