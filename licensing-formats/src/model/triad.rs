//! Which triad a license file belongs to.

use serde::{Deserialize, Serialize};

/// What two servers of one triad must agree on before they trust each other's votes: the host ids in the order of the
/// SERVER lines, normalised. Host names and ports are the administrator's to edit and are no part of it (FlexNet License
/// Administration Guide, License File Format Overview); neither is the vendor, for a triad serves several.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TriadIdentity {
    /// Host ids of the SERVER lines, in order, as [`HostId::normalised`](crate::HostId::normalised) gives them: one for a
    /// single server, three for a triad.
    pub host_ids: Vec<String>,
}

impl std::fmt::Display for TriadIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host_ids.len() {
            0 => f.write_str("no servers"),
            1 => write!(f, "host id {}", self.host_ids.join(", ")),
            _ => write!(f, "host ids {}", self.host_ids.join(", ")),
        }
    }
}
