//! Which triad a license file belongs to.

use serde::{Deserialize, Serialize};

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
