//! Who asks, in their own words, and what the server knows of them besides.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Longest user, host, display, project, feature or version name accepted, in bytes: what fits one status line.
pub const MAX_NAME_BYTES: usize = 256;

/// Who a client says it is; shown by status commands, matched by options.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// User name; may contain blanks.
    pub user: String,
    /// Host the application runs on.
    pub host: String,
    /// Display or terminal, `/dev/tty` when there is none.
    pub display: String,
    /// Process id on that host.
    pub pid: u32,
    /// The project the work is for (`LM_PROJECT`), empty when there is none.
    pub project: String,
}

impl Identity {
    /// Somebody at a host, of whom nothing else is known.
    pub fn new(user: impl Into<String>, host: impl Into<String>) -> Identity {
        let (user, host) = (user.into(), host.into());
        Identity { user, host, display: String::new(), pid: 0, project: String::new() }
    }
}

/// Who holds seats. Belongs to the checkout, which may outlive the session it was made in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// Who the client says it is.
    pub identity: Identity,
    /// Where its connection came from; `None` when the server cannot tell.
    pub address: Option<IpAddr>,
}
