//! What one client asked and was told.

use std::collections::BTreeMap;

use licensing_core::id::{Handle, LogIndex, Seats, SessionId};
use serde::{Deserialize, Serialize};

/// One request of one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Whose, by a number of the test's own.
    pub client: u32,
    /// What was asked.
    pub kind: Kind,
    /// When the client asked.
    pub invoked_us: u64,
    /// When the client was answered; `None` when it never was.
    pub completed_us: Option<u64>,
    /// What the client was told.
    pub told: Told,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A session.
    Open,
    /// Seats of a feature.
    Checkout {
        /// Which feature.
        feature: String,
        /// How many.
        seats: Seats,
    },
    /// To take seats back.
    Checkin {
        /// Which ones.
        handle: Handle,
    },
    /// To keep other data with seats that are held.
    SetData {
        /// Which ones.
        handle: Handle,
    },
    /// To take seats back, and to go on asking for it until that is answered, whether anybody waits or not.
    GiveBack {
        /// Which ones.
        handle: Handle,
    },
    /// To end the session, and everything it holds with it.
    Close,
    /// How many seats of a feature are out.
    Count {
        /// Which feature.
        feature: String,
    },
    /// To take seats away from whoever holds them; an administrator asks.
    Remove {
        /// Which ones.
        handle: Handle,
    },
    /// To serve the license of a vendor that is not served from the beginning; an administrator asks.
    Install {
        /// Which vendor.
        vendor: String,
    },
    /// To serve another license instead; an administrator asks, one thing at a time.
    Relicense {
        /// Seats of the features that the licenses of the run differ in, each time all of these: 0 when the license does not name
        /// it.
        licensed: BTreeMap<String, Seats>,
    },
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It has a session, named by the index of the log entry that opened it.
    Opened {
        /// The session.
        session: SessionId,
    },
    /// It has seats.
    Granted {
        /// The entry that decided it.
        index: LogIndex,
        /// Name of the checkout.
        handle: Handle,
        /// Whether the client's text was kept with it ([`vendor_data::at_first`](super::vendor_data::at_first)); [`None`] of a
        /// client that keeps something else, or says nothing of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with_data: Option<bool>,
    },
    /// Its seats are back.
    Returned {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// The data is kept.
    DataSet {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// No, because too few seats were free.
    NoFreeSeats {
        /// The entry that decided it.
        index: LogIndex,
        /// Seats taken then, as the denial says.
        in_use: Seats,
    },
    /// No, because too few seats were free, of a service that does not say how many are taken.
    NoSeats {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// No, because the checkout that was to be returned does not exist.
    UnknownHandle {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// The license is served.
    Installed {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// The session is over, and what it held is back.
    Closed {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// The session was over already when that was decided: by an earlier sending whose answer was lost, or by its grace.
    WasClosed,
    /// So many seats are out, as one server shows it.
    Counted {
        /// What the server had applied.
        applied: LogIndex,
        /// Licensed.
        issued: Seats,
        /// Out.
        in_use: Seats,
    },
    /// No, because it is more than is licensed at all.
    MoreThanLicensed {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// No, because no license line has started.
    NotStarted {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// No, because all license lines are over.
    Expired {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// No, because nobody licenses such a feature.
    NotLicensed {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// No, for any other reason.
    Denied {
        /// The entry that decided it.
        index: LogIndex,
        /// The servers' words.
        why: String,
    },
    /// Its session is gone.
    SessionLost,
    /// It was certainly not done.
    NotDone {
        /// The client's words.
        why: String,
    },
    /// It may or may not have been done, now or later.
    Unknown {
        /// The client's words.
        why: String,
    },
    /// It did not wait for the answer. Seats that are granted all the same go back by themselves.
    GivenUp,
}

impl Told {
    /// The entry that decided it, if it is known that one did.
    pub fn index(&self) -> Option<LogIndex> {
        match self {
            Told::Opened { session } => Some(LogIndex(session.0)),
            Told::Granted { index, .. }
            | Told::Returned { index }
            | Told::DataSet { index }
            | Told::NoFreeSeats { index, .. }
            | Told::NoSeats { index }
            | Told::UnknownHandle { index }
            | Told::Installed { index }
            | Told::NotLicensed { index }
            | Told::Closed { index }
            | Told::MoreThanLicensed { index }
            | Told::NotStarted { index }
            | Told::Expired { index }
            | Told::Denied { index, .. } => Some(*index),
            // A state that is shown decides nothing.
            Told::Counted { .. } => None,
            Told::SessionLost
            | Told::WasClosed
            | Told::NotDone { .. }
            | Told::Unknown { .. }
            | Told::GivenUp => None,
        }
    }
}
