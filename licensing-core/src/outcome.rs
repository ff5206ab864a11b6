//! What may be answered. A "no" is an answer with a reason ([`Denial`]), never an error; "could not find out" does
//! not exist here, only in the crates that carry questions to the state.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Handle, LogIndex, RequestId, Role, Seats, SessionId, Timestamp};

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
}

/// Why not. The variants stand in the order in which they are judged: the first that applies is the answer
/// (precedence as in the FLEXnet options rules, where they overlap).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Denial {
    /// No such session: it was closed, it expired, or it never was.
    UnknownSession {
        /// The name that was given.
        session: SessionId,
    },
    /// The secret is not the session's.
    WrongToken {
        /// The session it was given for.
        session: SessionId,
    },
    /// The client had already acknowledged the answer to this request.
    ForgottenRequest {
        /// The client's number for it.
        request: RequestId,
    },
    /// The session has too many requests whose answers it has not acknowledged.
    TooManyUnanswered {
        /// The limit.
        limit: u32,
    },
    /// The server has all the sessions it keeps.
    TooManySessions {
        /// The limit.
        limit: u32,
    },
    /// The license file cannot be served.
    BadLicense {
        /// What is wrong, one `line:column: problem` per line.
        problems: String,
    },
    /// Something in the request makes no sense.
    InvalidParameter {
        /// What, and what to write instead.
        what: String,
    },
    /// The version is not a decimal number.
    BadVersion {
        /// What was given.
        version: String,
    },
    /// No license file has been installed yet.
    NoLicense,
    /// The license file has no such feature.
    UnknownFeature {
        /// What was asked for.
        feature: String,
    },
    /// Only lower versions are licensed.
    VersionNotLicensed {
        /// What was asked for.
        feature: String,
        /// The version asked for.
        requested: String,
        /// The highest version licensed.
        licensed: String,
    },
    /// Not valid yet.
    NotStarted {
        /// What was asked for.
        feature: String,
        /// First day, as in the license file.
        starts: String,
    },
    /// Not valid any more.
    Expired {
        /// What was asked for.
        feature: String,
        /// Last day, as in the license file.
        expired: String,
    },
    /// More than all seats together.
    MoreThanLicensed {
        /// What was asked for.
        feature: String,
        /// Seats asked for.
        requested: Seats,
        /// Seats licensed.
        licensed: Seats,
    },
    /// Not enough free seats now.
    NoFreeSeats {
        /// What was asked for.
        feature: String,
        /// Seats asked for.
        requested: Seats,
        /// Seats taken.
        in_use: Seats,
        /// Seats licensed.
        licensed: Seats,
    },
    /// No such checkout: it was returned, removed, it expired with its session, or it never was.
    UnknownHandle {
        /// The name that was given.
        handle: Handle,
    },
    /// The checkout belongs to another session, and the secret given is not that session's.
    NotTheHolder {
        /// The name that was given.
        handle: Handle,
    },
    /// Nobody matches what was to be removed.
    NothingToRemove {
        /// What was looked for.
        what: String,
    },
}

impl Denial {
    /// FlexNet's number for it (FLEXnet Licensing End User Guide, error codes).
    pub fn flexnet_code(&self) -> i32 {
        match self {
            Denial::UnknownSession { .. } => -16,
            Denial::WrongToken { .. } => -33,
            Denial::ForgottenRequest { .. } => -12,
            Denial::TooManyUnanswered { .. } => -23,
            Denial::TooManySessions { .. } => -106,
            Denial::BadLicense { .. } => -2,
            Denial::InvalidParameter { .. } => -42,
            Denial::BadVersion { .. } => -77,
            Denial::NoLicense => -1,
            Denial::UnknownFeature { .. } => -5,
            Denial::VersionNotLicensed { .. } => -25,
            Denial::NotStarted { .. } => -31,
            Denial::Expired { .. } => -10,
            Denial::MoreThanLicensed { .. } => -26,
            Denial::NoFreeSeats { .. } => -4,
            Denial::UnknownHandle { .. } => -22,
            Denial::NotTheHolder { .. } => -63,
            Denial::NothingToRemove { .. } => -41,
        }
    }

    /// The text FlexNet prints for that number.
    pub fn flexnet_text(&self) -> &'static str {
        match self {
            Denial::UnknownSession { .. } => "Cannot read data from license server system.",
            Denial::WrongToken { .. } => "Bad encryption handshake with daemon",
            Denial::ForgottenRequest { .. } => "Invalid returned data from license server",
            Denial::TooManyUnanswered { .. } => "License server temporarily busy (new server connecting)",
            Denial::TooManySessions { .. } => "License server out of network connections",
            Denial::BadLicense { .. } => "Invalid license file syntax",
            Denial::InvalidParameter { .. } => "Invalid parameter",
            Denial::BadVersion { .. } => "Bad version number: must be floating-point number with no letters",
            Denial::NoLicense => "Cannot find license file",
            Denial::UnknownFeature { .. } => "No such feature exists",
            Denial::VersionNotLicensed { .. } => {
                "License server does not support this version of this feature"
            }
            Denial::NotStarted { .. } => "Feature start date is in the future",
            Denial::Expired { .. } => "Feature has expired",
            Denial::MoreThanLicensed { .. } => "Request for more licenses than this feature supports",
            Denial::NoFreeSeats { .. } => "Licensed number of users already reached",
            Denial::UnknownHandle { .. } => "Feature checkin failure detected at license server",
            Denial::NotTheHolder { .. } => "You are not a license administrator",
            Denial::NothingToRemove { .. } => "Feature was never checked out",
        }
    }

    /// RLM's checkout status for it (RLM Reference Manual, RLM_EL codes).
    pub fn rlm_code(&self) -> i32 {
        match self {
            Denial::UnknownSession { .. } => -19,
            Denial::WrongToken { .. } => -70,
            Denial::ForgottenRequest { .. } => -16,
            Denial::TooManyUnanswered { .. } | Denial::TooManySessions { .. } => -59,
            Denial::BadLicense { .. } => -26,
            Denial::InvalidParameter { .. } => -41,
            Denial::BadVersion { .. } | Denial::VersionNotLicensed { .. } => -6,
            Denial::NoLicense | Denial::UnknownFeature { .. } => -1,
            Denial::NotStarted { .. } => -37,
            Denial::Expired { .. } => -3,
            Denial::MoreThanLicensed { .. } => -8,
            Denial::NoFreeSeats { .. } => -22,
            Denial::UnknownHandle { .. } => -28,
            Denial::NotTheHolder { .. } => -9,
            Denial::NothingToRemove { .. } => -1,
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denial::UnknownSession { session } => {
                write!(f, "no session {session}: it was closed or its grace ran out, open a new one")
            }
            Denial::WrongToken { session } => write!(f, "wrong token for session {session}"),
            Denial::ForgottenRequest { request } => {
                write!(f, "request {request} was already acknowledged, its answer is no longer kept")
            }
            Denial::TooManyUnanswered { limit } => {
                write!(f, "{limit} requests of this session are unacknowledged, wait for their answers first")
            }
            Denial::TooManySessions { limit } => write!(f, "all {limit} sessions are taken"),
            Denial::BadLicense { problems } => write!(f, "the license file cannot be served: {problems}"),
            Denial::InvalidParameter { what } => f.write_str(what),
            Denial::BadVersion { version } => {
                write!(f, "`{version}` is not a version: write a decimal number without letters, such as 2.5")
            }
            Denial::NoLicense => f.write_str("no license file is installed yet"),
            Denial::UnknownFeature { feature } => write!(f, "no feature `{feature}` in the license file"),
            Denial::VersionNotLicensed { feature, requested, licensed } => {
                write!(f, "feature `{feature}` is licensed up to version {licensed}, not {requested}")
            }
            Denial::NotStarted { feature, starts } => {
                write!(f, "the license for feature `{feature}` starts on {starts}")
            }
            Denial::Expired { feature, expired } => {
                write!(f, "the license for feature `{feature}` expired on {expired}")
            }
            Denial::MoreThanLicensed { feature, requested, licensed } => {
                write!(f, "{requested} seats of feature `{feature}` asked for, {licensed} licensed in all")
            }
            Denial::NoFreeSeats { feature, requested, in_use, licensed } => write!(
                f,
                "{requested} seats of feature `{feature}` asked for, {in_use} of {licensed} are in use"
            ),
            Denial::UnknownHandle { handle } => write!(f, "no checkout with handle {handle}"),
            Denial::NotTheHolder { handle } => {
                write!(f, "handle {handle} belongs to another session: give its token")
            }
            Denial::NothingToRemove { what } => write!(f, "nothing to remove: {what}"),
        }
    }
}
