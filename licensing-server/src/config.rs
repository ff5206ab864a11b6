//! What a server has to be told, gathered from the command line, the license file and the key files, and checked
//! before anything is opened.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use licensing_client::AdminKey;
use licensing_core::id::Role;
use licensing_core::license::License;
use licensing_raft::{ConfigError, NodeConfig, ServerAddress, Timings};

use crate::key_file::{self, KeyFileError};
use crate::license_file::{LicenseFile, LicenseFileError};

/// How long a session lives without a sign of life, unless told otherwise: three heartbeats of a client and a failover.
const SESSION_GRACE: Duration = Duration::from_secs(10);

/// What the command line says.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The license file.
    pub license: PathBuf,
    /// Which of the three servers this is; `None` finds out by the host's name.
    pub role: Option<Role>,
    /// Directory for this server's data.
    pub data_dir: PathBuf,
    /// How fast to react to a dead master.
    pub profile: Profile,
    /// How long a session lives without a sign of life; `None` for the default.
    pub session_grace: Option<Duration>,
    /// Where this server reaches others that it does not reach by their SERVER lines.
    pub peer_addresses: Vec<(Role, licensing_client::ServerAddress)>,
    /// File with the peers' key.
    pub peer_key: Option<PathBuf>,
    /// File with the administrators' key.
    pub admin_key: Option<PathBuf>,
    /// Found the triad with two servers instead of three.
    pub force_bootstrap: bool,
}

/// How fast to react to a dead master, where the license file does not say (HEARTBEAT_INTERVAL).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// Failover in about 300 ms.
    #[default]
    Default,
    /// Failover in about 160 ms, for quiet hosts close to each other.
    Fast,
}

/// Everything [`run`](crate::run::run) has to be told.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// What the node has to be told. Its addresses are those for peers.
    pub node: NodeConfig,
    /// Where clients find the three: what the SERVER lines say.
    pub addresses: [ServerAddress; 3],
    /// The license file of this server.
    pub license: LicenseFile,
    /// What administrators from elsewhere prove themselves with.
    pub admin_key: Option<AdminKey>,
    /// How much this server takes on.
    pub limits: Limits,
    /// What was noticed on the way and should be logged.
    pub warnings: Vec<String>,
}

/// How much a server takes on. The numbers for one connection are beside the code that keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Client connections at a time; peers do not count. 20,000 of a few kilobytes each are below 200 MB and above
    /// any site we know of.
    pub connections: usize,
    /// Connections that have not said yet what they are. 4,096 clients may start in the same instant; beyond that
    /// the oldest goes, which is never a peer: peers speak as soon as they connect.
    pub undecided: usize,
}

/// See the fields.
impl Default for Limits {
    fn default() -> Self {
        Limits { connections: 20_000, undecided: 4096 }
    }
}

/// A configuration that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    /// See [`LicenseFileError`].
    #[error(transparent)]
    License(#[from] LicenseFileError),
    /// See [`KeyFileError`].
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// See [`ConfigError`].
    #[error("{}: {problem}", path.display())]
    Node {
        /// The license file.
        path: PathBuf,
        /// What cannot work.
        problem: ConfigError,
    },
    /// The role cannot be found out.
    #[error(
        "{matches} SERVER lines name this host ({host}): say which one it is with --role primary, secondary or tertiary"
    )]
    Role {
        /// How many SERVER lines match.
        matches: usize,
        /// The host's own name.
        host: String,
    },
    /// A server needs no way to itself.
    #[error(
        "--peer-address {role}=… names this server itself, the {role}: where it listens is said with --listen"
    )]
    OwnPeerAddress {
        /// Which server this is.
        role: Role,
    },
    /// Peers on other hosts must prove themselves.
    #[error(
        "the servers are on different hosts ({host}), so they must prove themselves to each other: make a key with \
         `licensing-server peer-key FILE`, copy it to all three, and start each with --peer-key FILE"
    )]
    PeerKeyMissing {
        /// A host of a peer that is not the loopback.
        host: String,
    },
}

impl ServerConfig {
    /// Reads the files and puts everything together.
    pub fn load(options: &ServeOptions) -> Result<ServerConfig, ConfigProblem> {
        let license = LicenseFile::read(&options.license)?;
        let mut warnings = Vec::new();
        let about_file = |problem| ConfigProblem::Node { path: license.path.clone(), problem };
        // The role does not matter yet, and a file for one server deserves the error about that first.
        let any = options.role.unwrap_or(Role::Primary);
        let mut node =
            NodeConfig::from_license(&license.license, any, &options.data_dir).map_err(about_file)?;
        node.role = match options.role {
            Some(role) => role,
            None => own_role(&license.license)?,
        };
        // The node's own comparison of files is not used: it would go on with what was read at the start, after a
        // reread too. Status pages compare this server's file, as last read, with the license that is served.
        node.software_version = crate::VERSION.to_owned();
        node.force_bootstrap = options.force_bootstrap;
        match (options.profile, license.license.heartbeat_interval()) {
            (Profile::Default, _) => {}
            (Profile::Fast, None) => node.timings = Timings::fast(),
            (Profile::Fast, Some(interval)) => warnings.push(format!(
                "--profile fast has no effect: HEARTBEAT_INTERVAL={} in the license file sets the timings",
                interval.seconds()
            )),
        }
        // With a long HEARTBEAT_INTERVAL a failover takes longer than the usual grace.
        let two_leases = Duration::from_millis(node.timings.lease_ms * 2);
        node.session_grace = options.session_grace.unwrap_or(SESSION_GRACE.max(two_leases));
        let addresses = node.servers.clone();
        for (role, address) in &options.peer_addresses {
            if *role == node.role {
                return Err(ConfigProblem::OwnPeerAddress { role: *role });
            }
            node.servers[role.place()] = ServerAddress { host: address.host.clone(), port: address.port };
        }
        node.peer_key = match &options.peer_key {
            Some(path) => Some(key_file::read_peer_key(path)?),
            None => {
                warnings.push(without_peer_key(addresses.iter().chain(&node.servers))?);
                None
            }
        };
        let admin_key = options.admin_key.as_deref().map(key_file::read_admin_key).transpose()?;
        for path in [&options.peer_key, &options.admin_key].into_iter().flatten() {
            if key_file::is_open_to_others(path) {
                warnings.push(format!("key file {0} is open to others: chmod 600 {0}", path.display()));
            }
        }
        warnings.extend(
            license.license.warnings.iter().map(|warning| format!("{}:{warning}", license.path.display())),
        );
        Ok(ServerConfig { node, addresses, license, admin_key, limits: Limits::default(), warnings })
    }

    /// Where to listen unless told otherwise: the port of the own SERVER line, on the loopback when its host is the
    /// loopback, else on all addresses. The second is for hosts without IPv6.
    pub fn default_listen(&self) -> Vec<SocketAddr> {
        let own = &self.node.servers[self.node.role.place()];
        let addresses = match (loopback(&own.host), &*own.host) {
            (Some(address), _) => vec![address],
            (None, _) => vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
        };
        addresses.into_iter().map(|address| SocketAddr::new(address, own.port)).collect()
    }
}

/// The address when the host is this machine talking to itself.
fn loopback(host: &str) -> Option<IpAddr> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    host.parse().ok().filter(IpAddr::is_loopback)
}

/// Without a key anybody who reaches the port can speak as a peer: fine where only this machine reaches it.
fn without_peer_key<'a>(
    mut servers: impl Iterator<Item = &'a ServerAddress>,
) -> Result<String, ConfigProblem> {
    match servers.find(|server| loopback(&server.host).is_none()) {
        Some(server) => Err(ConfigProblem::PeerKeyMissing { host: server.host.clone() }),
        None => Ok("no --peer-key: every user of this machine can speak as a peer of the triad".to_owned()),
    }
}

/// The role of the only SERVER line that names this host.
fn own_role(license: &License) -> Result<Role, ConfigProblem> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let own =
        license.servers.iter().zip(Role::ALL).filter(|(server, _)| names_this_host(&server.host, &name));
    let roles: Vec<Role> = own.map(|(_, role)| role).collect();
    match roles[..] {
        [role] => Ok(role),
        _ => Err(ConfigProblem::Role { matches: roles.len(), host: name }),
    }
}

/// By the host's name, with or without its domain, or by an address that can be bound here.
fn names_this_host(host: &str, own: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return UdpSocket::bind((address, 0)).is_ok();
    }
    let first_label = |name: &str| name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    let either_is_short = !host.contains('.') || !own.contains('.');
    host.eq_ignore_ascii_case(own)
        || host.eq_ignore_ascii_case("this_host")
        || host.eq_ignore_ascii_case("localhost")
        || (either_is_short && first_label(host) == first_label(own))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
