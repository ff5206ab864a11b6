//! What a session may ask for.

use serde::{Deserialize, Serialize};

use crate::edition::Edition;
use crate::id::{Handle, Role, Seats, Token};

/// The version below all others, for those who take any.
pub const ANY_VERSION: &str = "0.0";

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
    /// Take seats of a feature, and say more about it than [`Action::Checkout`] can. From edition 3 of the rules on.
    CheckoutWith {
        /// Whose feature; `None` asks all vendors, in the order of their names.
        vendor: Option<String>,
        /// Feature name as in the license file.
        feature: String,
        /// Version needed; granted when it is not above the licensed version.
        version: String,
        /// How many seats, at least 1, all or none.
        seats: Seats,
        /// What is said besides, each kind once.
        extras: Vec<Extra>,
    },
    /// Give the asking session, or one of its checkouts, other vendor data. From edition 3 of the rules on.
    SetVendorData {
        /// Which checkout; `None` for the session itself.
        handle: Option<Handle>,
        /// At most [`MAX_DATA_BYTES`](crate::vendor_data::MAX_DATA_BYTES); empty takes it away.
        data: Vec<u8>,
    },
}

/// What is said of a checkout besides what it takes. Grows at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Extra {
    /// Bytes of the application's own, at most [`MAX_DATA_BYTES`](crate::vendor_data::MAX_DATA_BYTES).
    VendorData(Vec<u8>),
}

impl Action {
    /// Seats of a feature, with vendor data where there is any.
    pub fn checkout(
        vendor: Option<String>,
        feature: String,
        version: String,
        seats: Seats,
        vendor_data: Vec<u8>,
    ) -> Action {
        if vendor_data.is_empty() {
            return Action::Checkout { vendor, feature, version, seats };
        }
        let extras = vec![Extra::VendorData(vendor_data)];
        Action::CheckoutWith { vendor, feature, version, seats, extras }
    }

    /// The edition of the rules from which on it may be asked: servers of before it cannot read it.
    pub fn needs(&self) -> Edition {
        match self {
            Action::CheckoutWith { .. } | Action::SetVendorData { .. } => Edition::VENDOR_DATA,
            Action::Checkout { .. }
            | Action::Checkin { .. }
            | Action::Remove(_)
            | Action::Maintain { .. }
            | Action::PreferMaster { .. } => Edition::FIRST,
        }
    }
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
