//! What a license file says, whichever dialect it was written in.
//!
//! The property kept: everything the rules of seats need is here as a typed value, and everything a
//! publisher wrote that we do not interpret is here as text, so nothing of a feature line is lost. Every
//! line remembers where it stood, for messages. The model never contains a decision (which line wins, which
//! lines form a pool): those are the rules' business.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Date, Diagnostic, Expiry, HostId, LicenseErrors, Version, flexnet};

/// Place of a feature line without `sort=` in the order of use; lower is used earlier (FlexNet License
/// Administration Guide, Order of Lines in the License File).
pub const DEFAULT_SORT: u32 = 100;

/// A license file, read and found consistent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// The SERVER lines in file order: none, one (single server) or three (triad).
    pub servers: Vec<ServerLine>,
    /// The VENDOR (or DAEMON) line; always there when there are features.
    pub vendor: Option<VendorLine>,
    /// Whether a USE_SERVER line is present. It tells clients to ask the server and means nothing to one.
    pub use_server: bool,
    /// The FEATURE and INCREMENT lines in file order.
    pub features: Vec<FeatureLine>,
    /// What looked suspicious but did not prevent reading, in line order.
    pub warnings: Vec<Diagnostic>,
}

/// `SERVER host hostid [port] [PRIMARY_IS_MASTER] [HEARTBEAT_INTERVAL=seconds]`
/// (FlexNet License Administration Guide, SERVER Lines).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerLine {
    /// Host name or address; `this_host` means whichever machine reads the file. Editable.
    pub host: String,
    /// The machine the license was issued for. Not editable.
    pub host_id: HostId,
    /// TCP port. Editable; always present in a triad.
    pub port: Option<u16>,
    /// Whether a returning primary takes the master role back. Only ever true on the first line.
    pub primary_is_master: bool,
    /// How often servers of a triad hear from each other. Only ever present on the first line.
    pub heartbeat_interval: Option<HeartbeatInterval>,
    /// Physical line in the file, from 1.
    pub line: u32,
}

/// `VENDOR vendor [path] [[OPTIONS=]options_path] [[PORT=]port]`
/// (FlexNet License Administration Guide, VENDOR Lines).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorLine {
    /// The vendor every feature must name. Not editable.
    pub name: String,
    /// Path of the vendor daemon program; kept as written, we have no daemon to start.
    pub path: Option<String>,
    /// Path of the options file; kept as written.
    pub options: Option<String>,
    /// TCP port of the vendor daemon; `PORT=0` means "any free port" and reads as `None`.
    pub port: Option<u16>,
    /// Physical line in the file, from 1.
    pub line: u32,
}

/// Which keyword introduced a feature line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FeatureKind {
    /// FEATURE: replaces; only the first counted one of a name is used.
    Feature,
    /// INCREMENT: adds to what other lines of the name give.
    Increment,
}

/// How many seats a feature line gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Count {
    /// Any number, on the machines the line's HOSTID names (written `0` or `uncounted`).
    Uncounted,
    /// This many seats, at least 1.
    Counted(u32),
}

/// `{FEATURE|INCREMENT} name vendor version expiry count [key] [attributes]`
/// (FlexNet License Administration Guide, FEATURE and INCREMENT Lines).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureLine {
    /// FEATURE or INCREMENT.
    pub kind: FeatureKind,
    /// Name of the feature; any characters but blanks.
    pub name: String,
    /// Name of the vendor, the same as on the VENDOR line.
    pub vendor: String,
    /// Highest version that may be checked out.
    pub version: Version,
    /// Last day of use.
    pub expiry: Expiry,
    /// Number of seats.
    pub count: Count,
    /// The license key as given: the positional one of old files, else the value of SIGN.
    pub key: Option<String>,
    /// First day of use (`START=`).
    pub starts: Option<Date>,
    /// Day the license was made (`ISSUED=`).
    pub issued: Option<Date>,
    /// Machines the feature is locked to (`HOSTID=`).
    pub host_id: Option<HostId>,
    /// Order of use (`sort=`), [`DEFAULT_SORT`] if not given.
    pub sort: u32,
    /// Every attribute with its value, unknown ones and those above included. Keys as written: upper case
    /// is the publisher's and signed, lower case the administrator's and not. A bare word has an empty value.
    pub attributes: BTreeMap<String, String>,
    /// Physical line in the file, from 1.
    pub line: u32,
}

/// How often the servers of a triad hear from each other, in seconds, 1 to 120
/// (FlexNet License Administration Guide, SERVER Lines: HEARTBEAT_INTERVAL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct HeartbeatInterval(u8);

/// What two servers of one triad must agree on before they trust each other's votes: the vendor and the
/// host ids in the order of the SERVER lines, normalised. Host names and ports are the administrator's to
/// edit and are no part of it (FlexNet License Administration Guide, License File Format Overview).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TriadIdentity {
    /// Vendor name, if the file has a VENDOR line.
    pub vendor: Option<String>,
    /// Host ids of the SERVER lines, in order, as [`HostId::normalised`] gives them.
    pub host_ids: Vec<String>,
}

impl License {
    /// Parses a FlexNet-flavoured license file (byte-order mark, CRLF and continuation lines included).
    ///
    /// # Errors
    ///
    /// All errors found, in line order, at most [`MAX_ERRORS`](super::MAX_ERRORS).
    pub fn parse(text: &str) -> Result<License, LicenseErrors> {
        flexnet::parse(text)
    }

    /// Whether a primary that returns takes the master role back (PRIMARY_IS_MASTER on the first SERVER
    /// line).
    pub fn primary_is_master(&self) -> bool {
        self.servers.first().is_some_and(|server| server.primary_is_master)
    }

    /// HEARTBEAT_INTERVAL of the first SERVER line; `None` if absent or 0, which asks for our default.
    pub fn heartbeat_interval(&self) -> Option<HeartbeatInterval> {
        self.servers.first().and_then(|server| server.heartbeat_interval)
    }

    /// What this file says about which triad it belongs to.
    pub fn triad_identity(&self) -> TriadIdentity {
        TriadIdentity {
            vendor: self.vendor.as_ref().map(|vendor| vendor.name.clone()),
            host_ids: self.servers.iter().map(|server| server.host_id.normalised()).collect(),
        }
    }
}

impl HeartbeatInterval {
    /// Longest interval the documentation allows, in seconds.
    pub const MAX_S: u8 = 120;

    /// The interval, or `None` if `seconds` is not 1 to 120.
    pub fn new(seconds: u8) -> Option<HeartbeatInterval> {
        (1..=Self::MAX_S).contains(&seconds).then_some(HeartbeatInterval(seconds))
    }

    /// The interval in seconds, 1 to 120.
    pub fn seconds(self) -> u8 {
        self.0
    }

    /// Seconds of silence after which a peer counts as gone: `4s - 1`, which is three missed heartbeats and
    /// the fourth not yet due; 3 to 479.
    pub fn timeout_s(self) -> u32 {
        (4 * u32::from(self.0)).saturating_sub(1)
    }
}

impl TryFrom<u8> for HeartbeatInterval {
    type Error = &'static str;

    fn try_from(seconds: u8) -> Result<HeartbeatInterval, &'static str> {
        HeartbeatInterval::new(seconds).ok_or("a heartbeat interval is 1 to 120 seconds")
    }
}

impl From<HeartbeatInterval> for u8 {
    fn from(interval: HeartbeatInterval) -> u8 {
        interval.0
    }
}

impl FeatureKind {
    /// The keyword, in capitals.
    pub fn keyword(self) -> &'static str {
        match self {
            FeatureKind::Feature => "FEATURE",
            FeatureKind::Increment => "INCREMENT",
        }
    }
}

impl std::fmt::Display for FeatureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.keyword())
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Count::Uncounted => f.write_str("uncounted"),
            Count::Counted(seats) => write!(f, "{seats}"),
        }
    }
}

impl std::fmt::Display for TriadIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.vendor {
            Some(vendor) => write!(f, "vendor {vendor}, ")?,
            None => f.write_str("no vendor, ")?,
        }
        match self.host_ids.len() {
            0 => f.write_str("no servers"),
            1 => write!(f, "host id {}", self.host_ids.join(", ")),
            _ => write!(f, "host ids {}", self.host_ids.join(", ")),
        }
    }
}
