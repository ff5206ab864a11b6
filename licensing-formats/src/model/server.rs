//! SERVER lines: where the servers are, for which machines the license was issued, and how often a triad's servers hear
//! from each other.

use serde::{Deserialize, Serialize};

use crate::words::HostId;

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

/// How often the servers of a triad hear from each other, in seconds, 1 to 120
/// (FlexNet License Administration Guide, SERVER Lines: HEARTBEAT_INTERVAL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct HeartbeatInterval(u8);

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
