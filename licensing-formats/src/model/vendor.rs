//! VENDOR (or DAEMON) lines: who publishes the features, and where FlexNet would find its daemon.

use serde::{Deserialize, Serialize};

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
