//! Which license lines count their seats together.
//!
//! Source: FLEXnet License Administration Guide, "FEATURE and INCREMENT Lines": license pools.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::license::{Count, FeatureLine};

/// Attributes that keep the seats of two lines apart when they differ (FLEXnet License Administration Guide,
/// "FEATURE and INCREMENT Lines": license pools). HOSTID belongs to them too, but is compared normalised.
const POOLING_ATTRIBUTES: [&str; 10] = [
    "BORROW",
    "DUP_GROUP",
    "FLOAT_OK",
    "HOST_BASED",
    // PLATFORMS as older guides spell it.
    "PLATFORM",
    "PLATFORMS",
    "TZ",
    "USER_BASED",
    "VENDOR_STRING",
    "VM_PLATFORMS",
];

/// What two license lines must have in common for their seats to be counted together. The expiry date is no part of
/// it: a pool shrinks as its lines expire.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PoolKey {
    pub(crate) feature: String,
    /// Without leading and trailing zeros, so that `1.0` and `1` are one pool.
    version: String,
    pub(crate) uncounted: bool,
    attributes: BTreeMap<String, String>,
}

impl PoolKey {
    pub(crate) fn of(line: &FeatureLine) -> PoolKey {
        let mut attributes: BTreeMap<String, String> = POOLING_ATTRIBUTES
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), line.attributes.get(name)?.clone())))
            .collect();
        if let Some(host_id) = &line.host_id {
            attributes.insert("HOSTID".to_owned(), host_id.normalised());
        }
        let (integer, fraction) =
            line.version.as_str().split_once('.').unwrap_or((line.version.as_str(), ""));
        let version = format!("{}.{}", integer.trim_start_matches('0'), fraction.trim_end_matches('0'));
        PoolKey { feature: line.name.clone(), version, uncounted: line.count == Count::Uncounted, attributes }
    }
}
