//! Who asks, in their own words.

use serde::{Deserialize, Serialize};

/// Longest user, host, display, feature or version text accepted, in bytes: what fits one status line.
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
}
