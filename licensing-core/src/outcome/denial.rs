//! The reasons of a "no".

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Handle, LogIndex, RequestId, Seats, SessionId, counted};

/// Why not. The order of the variants is that of their numbers on disk and wire, which are for good: a new one goes to the
/// end. Which of several reasons is the answer says [`Denial::rank`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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
    /// No license of that vendor is served here.
    UnknownVendor {
        /// Who was asked for.
        vendor: String,
    },
    /// The servers keep all the vendor data they can.
    VendorDataFull {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A key of the triad's vendor data is not as the asker believed.
    VendorDataChanged {
        /// Which one.
        key: String,
        /// The entry that set what is there now; `None` when nothing is there.
        set_at: Option<LogIndex>,
    },
    /// A part of a license does not follow what is there, or not all of them are: another license was on its way meanwhile, or
    /// it took too long. Nothing was installed; begin again with part 0.
    PartsMissing {
        /// How many parts of it are there.
        parts: u32,
    },
}

impl Denial {
    /// Its place among the reasons, from 0: of several that apply, the answer is the one with the lowest rank (precedence
    /// as in the FLEXnet options rules, where they overlap). Ranks may change from version to version, numbers do not.
    pub fn rank(&self) -> u32 {
        match self {
            Denial::UnknownSession { .. } => 0,
            Denial::WrongToken { .. } => 1,
            Denial::ForgottenRequest { .. } => 2,
            Denial::TooManyUnanswered { .. } => 3,
            Denial::TooManySessions { .. } => 4,
            Denial::BadLicense { .. } => 5,
            Denial::InvalidParameter { .. } => 6,
            Denial::BadVersion { .. } => 7,
            Denial::NoLicense => 8,
            Denial::UnknownVendor { .. } => 9,
            Denial::UnknownFeature { .. } => 10,
            Denial::VersionNotLicensed { .. } => 11,
            Denial::NotStarted { .. } => 12,
            Denial::Expired { .. } => 13,
            Denial::MoreThanLicensed { .. } => 14,
            Denial::NoFreeSeats { .. } => 15,
            Denial::UnknownHandle { .. } => 16,
            Denial::NotTheHolder { .. } => 17,
            Denial::NothingToRemove { .. } => 18,
            Denial::VendorDataChanged { .. } => 19,
            Denial::VendorDataFull { .. } => 20,
            Denial::PartsMissing { .. } => 21,
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
                let asked = counted(u64::from(requested.0), "seat");
                write!(f, "{asked} of feature `{feature}` asked for, {licensed} licensed in all")
            }
            Denial::NoFreeSeats { feature, requested, in_use, licensed } => {
                let asked = counted(u64::from(requested.0), "seat");
                write!(f, "{asked} of feature `{feature}` asked for, {in_use} of {licensed} are in use")
            }
            Denial::UnknownHandle { handle } => write!(f, "no checkout with handle {handle}"),
            Denial::NotTheHolder { handle } => {
                write!(f, "handle {handle} belongs to another session: give its token")
            }
            Denial::NothingToRemove { what } => write!(f, "nothing to remove: {what}"),
            Denial::UnknownVendor { vendor } => write!(f, "no license of vendor `{vendor}` is served here"),
            Denial::PartsMissing { parts } => {
                write!(
                    f,
                    "only {} of the license are here: begin again with part 0",
                    counted(u64::from(*parts), "part")
                )
            }
            Denial::VendorDataFull { limit } => {
                write!(f, "{limit} bytes of vendor data are kept already, which is the limit: keep less")
            }
            Denial::VendorDataChanged { key, set_at: Some(index) } => {
                write!(f, "`{key}` was set by entry {index} meanwhile: look at it again")
            }
            Denial::VendorDataChanged { key, set_at: None } => {
                write!(f, "`{key}` is not there any more: look at it again")
            }
        }
    }
}
