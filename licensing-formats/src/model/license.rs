//! What a license file says, whichever dialect it was written in.
//!
//! The property kept: everything the rules of seats need is here as a typed value, and everything a
//! publisher wrote that we do not interpret is here as text, so nothing of a feature line is lost. Every
//! line remembers where it stood, for messages. The model never contains a decision (which line wins, which
//! lines form a pool): those are the rules' business.

use serde::{Deserialize, Serialize};

use super::feature::FeatureLine;
use super::server::{HeartbeatInterval, ServerLine};
use super::triad::TriadIdentity;
use super::vendor::VendorLine;
use crate::text::findings::Diagnostic;

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

impl License {
    /// Whether a primary that returns takes the master role back (PRIMARY_IS_MASTER on the first SERVER
    /// line).
    pub fn primary_is_master(&self) -> bool {
        self.servers.first().is_some_and(|server| server.primary_is_master)
    }

    /// HEARTBEAT_INTERVAL of the first SERVER line; `None` if absent or 0, which asks for our default.
    pub fn heartbeat_interval(&self) -> Option<HeartbeatInterval> {
        self.servers.first().and_then(|server| server.heartbeat_interval)
    }

    /// Whose features these are; `None` when the file has neither a VENDOR line nor features.
    pub fn vendor_name(&self) -> Option<&str> {
        self.vendor.as_ref().map(|vendor| vendor.name.as_str())
    }

    /// What this file says about which triad it belongs to.
    pub fn triad_identity(&self) -> TriadIdentity {
        TriadIdentity { host_ids: self.servers.iter().map(|server| server.host_id.normalised()).collect() }
    }
}
