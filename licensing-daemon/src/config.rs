//! What a daemon has to be told. Nothing is opened here, and no flag or file is read: that is the program's part.

use std::path::PathBuf;
use std::time::Duration;

use licensing_client::AdminKey;
use licensing_client::license_file::LicenseFile;
use licensing_client::protocol::MAX_FRAME_BYTES;
use licensing_core::id::Role;
use licensing_raft::{ConfigError, NodeConfig, ServerAddress};

use crate::port::door::Door;
use crate::rights::judge::Judge;

/// How long a session lives without a sign of life, unless told otherwise: three heartbeats of a client and a failover.
pub const SESSION_GRACE: Duration = Duration::from_secs(10);

/// Everything [`Daemon::start`](crate::Daemon::start) has to be told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DaemonConfig {
    /// What the node has to be told. Its addresses are those for peers.
    pub node: NodeConfig,
    /// Where clients find the servers: what the SERVER lines say.
    pub addresses: Vec<ServerAddress>,
    /// The license files of this server, one for each vendor.
    pub licenses: Vec<LicenseFile>,
    /// What administrators from elsewhere prove themselves with.
    pub admin_key: Option<AdminKey>,
    /// How much this server takes on.
    pub limits: Limits,
    /// What was noticed on the way and should be logged.
    pub warnings: Vec<String>,
    pub(crate) doors: Vec<Door>,
    pub(crate) rights: Option<Judge>,
}

impl DaemonConfig {
    /// A daemon around a node that is configured already. Clients find the servers where the node does.
    pub fn new(node: NodeConfig, licenses: Vec<LicenseFile>) -> DaemonConfig {
        DaemonConfig {
            addresses: node.servers.clone(),
            node,
            licenses,
            admin_key: None,
            limits: Limits::default(),
            warnings: Vec::new(),
            doors: Vec::new(),
            rights: None,
        }
    }

    /// What the license file says, and the usual for the rest. No keys: set those, or keep all servers on one host.
    ///
    /// Fails when the file is neither for a single server nor for a triad.
    pub fn from_license(
        license: LicenseFile,
        role: Role,
        data_dir: impl Into<PathBuf>,
    ) -> Result<DaemonConfig, ConfigError> {
        let mut node = NodeConfig::from_license(&license.license, role, data_dir)?;
        // With a long HEARTBEAT_INTERVAL a failover takes longer than the usual grace.
        let two_leases = Duration::from_millis(node.timings.lease_ms * 2);
        node.session_grace = SESSION_GRACE.max(two_leases);
        Ok(DaemonConfig::new(node, vec![license]))
    }
}

/// How much a server takes on. The numbers for one connection are beside the code that keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Client connections at a time; peers do not count. 20,000 of a few kilobytes each are below 200 MB and above
    /// any site we know of.
    pub connections: usize,
    /// Connections that have not said yet what they are. 4,096 clients may start in the same instant; beyond that
    /// the oldest goes, which is never a peer: peers speak as soon as they connect.
    pub undecided: usize,
    /// Most pools and most checkouts on one page of a status: a page takes a millisecond or two to make, and other clients wait
    /// that long.
    pub page_rows: usize,
    /// Bytes of texts on one page, for pools and for checkouts each, and of vendor data: all together, with their numbers, stay
    /// below a frame.
    pub page_bytes: usize,
}

/// See the fields.
impl Default for Limits {
    fn default() -> Self {
        Limits { connections: 20_000, undecided: 4096, page_rows: 2000, page_bytes: MAX_FRAME_BYTES / 4 }
    }
}
