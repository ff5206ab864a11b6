//! What happened, as `apply` saw it: the source of debug logs, reports and metrics. Every server derives the same
//! history, whoever was master, because an event is addressed by its log index and its place among the events of
//! that entry.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::edition::Edition;
use crate::id::{Handle, LogIndex, Role, Seats, SessionId, Timestamp};
use crate::outcome::Denial;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The entry that caused it.
    pub index: LogIndex,
    /// Its place among the events of that entry, from 0.
    pub ordinal: u32,
    /// State time.
    pub at: Timestamp,
    /// What it was.
    pub kind: EventKind,
}

/// The kinds of events, named as the debug log of FlexNet names them where it has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventKind {
    /// OUT: seats were taken.
    Out(Holding),
    /// IN: seats came back.
    In {
        /// What came back.
        holding: Holding,
        /// How.
        why: Return,
    },
    /// DENIED: seats were refused.
    Denied {
        /// What was asked for.
        feature: String,
        /// Seats asked for.
        seats: Seats,
        /// Who asked.
        user: String,
        /// From where.
        host: String,
        /// Why not.
        denial: Denial,
    },
    /// A session began.
    SessionOpened(SessionId),
    /// A session ended; the IN events of its seats come with it.
    SessionEnded {
        /// Which one.
        session: SessionId,
        /// `true` when its grace ran out, `false` when the client closed it.
        expired: bool,
    },
    /// A license file was installed.
    LicenseInstalled {
        /// Whose.
        vendor: String,
        /// How many pools it has.
        pools: u32,
    },
    /// A server was taken out of or back into the choice of masters.
    Maintenance {
        /// Which server.
        role: Role,
        /// Taken out.
        on: bool,
    },
    /// The operator chose a master, or left it to the rules.
    Preference(Option<Role>),
    /// The rules of a newer edition are applied.
    EditionRaised {
        /// The edition.
        edition: Edition,
    },
    /// An operator holds the edition, or no longer.
    EditionHeld {
        /// Held.
        on: bool,
    },
    /// A session, or one of its checkouts, has other vendor data.
    VendorDataSet {
        /// Whose.
        session: SessionId,
        /// Which checkout's; `None` for the session's own.
        handle: Option<Handle>,
        /// What it is now.
        data: Vec<u8>,
    },
    /// A key of the triad's vendor data was set.
    TriadDataSet {
        /// Which one.
        key: String,
        /// SHA-256 of what it is now; `None` when it was removed. The value itself is in the state: it may have 256 KiB, and
        /// thousands of events wait for a slow listener.
        digest: Option<Digest>,
    },
}

/// Seats in somebody's hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Name of the checkout.
    pub handle: Handle,
    /// Whose feature.
    pub vendor: String,
    /// Feature name.
    pub feature: String,
    /// How many seats.
    pub seats: Seats,
    /// User who holds them.
    pub user: String,
    /// Host they are used on.
    pub host: String,
    /// Vendor data of the checkout.
    pub vendor_data: Arc<[u8]>,
}

/// How seats came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Return {
    /// The holder gave them back.
    Checkin,
    /// The holder closed its session.
    SessionClosed,
    /// The holder's grace ran out.
    SessionExpired,
    /// An administrator took them.
    Removed,
}
