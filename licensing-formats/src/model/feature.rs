//! FEATURE and INCREMENT lines: what is licensed, how many seats, and until when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::words::{Date, Expiry, HostId, Version};

/// Place of a feature line without `sort=` in the order of use; lower is used earlier (FlexNet License
/// Administration Guide, Order of Lines in the License File).
pub const DEFAULT_SORT: u32 = 100;

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
