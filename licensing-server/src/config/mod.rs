//! What the server is told, gathered from the command line, the license file and the key files, and checked before
//! anything is opened.

mod host;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use licensing_admin::key_file::{self, KeyFileError};
use licensing_core::id::Role;
use licensing_core::license::License;
use licensing_daemon::{DaemonConfig, LicenseFile, LicenseFileError};
use licensing_raft::{ConfigError, PeerKey, ServerAddress, Timings};

/// What the command line says.
#[derive(Debug, Clone)]
#[non_exhaustive]
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
#[non_exhaustive]
pub enum Profile {
    /// Failover in about 300 ms.
    #[default]
    Default,
    /// Failover in about 160 ms, for quiet hosts close to each other.
    Fast,
}

/// A configuration that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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

/// Reads the files and puts everything together.
pub fn load(options: &ServeOptions) -> Result<DaemonConfig, ConfigProblem> {
    let license = LicenseFile::read(&options.license)?;
    let about_file = |problem| ConfigProblem::Node { path: options.license.clone(), problem };
    // The role does not matter yet, and a file for one server deserves the error about that first.
    let any = options.role.unwrap_or(Role::Primary);
    let mut config = DaemonConfig::from_license(license, any, &options.data_dir).map_err(about_file)?;
    let (node, warnings) = (&mut config.node, &mut config.warnings);
    let license = &config.license;
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
    node.session_grace = options.session_grace.unwrap_or(node.session_grace);
    for (role, address) in &options.peer_addresses {
        if *role == node.role {
            return Err(ConfigProblem::OwnPeerAddress { role: *role });
        }
        node.servers[role.place()] = ServerAddress { host: address.host.clone(), port: address.port };
    }
    node.peer_key = match &options.peer_key {
        Some(path) => Some(key_file::read(path, PeerKey::parse)?),
        None => {
            warnings.push(without_peer_key(config.addresses.iter().chain(&node.servers))?);
            None
        }
    };
    config.admin_key = options.admin_key.as_deref().map(key_file::read_admin_key).transpose()?;
    for path in [&options.peer_key, &options.admin_key].into_iter().flatten() {
        if key_file::is_open_to_others(path) {
            warnings.push(format!("key file {0} is open to others: chmod 600 {0}", path.display()));
        }
    }
    warnings.extend(
        license.license.warnings.iter().map(|warning| format!("{}:{warning}", license.path.display())),
    );
    Ok(config)
}

/// Where to listen unless told otherwise: the port of the own SERVER line, on the loopback when its host is the
/// loopback, else on all addresses. The second is for hosts without IPv6.
pub fn default_listen(config: &DaemonConfig) -> Vec<SocketAddr> {
    let own = &config.node.servers[config.node.role.place()];
    let addresses = match (host::loopback(&own.host), &*own.host) {
        (Some(address), _) => vec![address],
        (None, _) => vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
    };
    addresses.into_iter().map(|address| SocketAddr::new(address, own.port)).collect()
}

/// Without a key anybody who reaches the port can speak as a peer: fine where only this machine reaches it.
fn without_peer_key<'a>(
    mut servers: impl Iterator<Item = &'a ServerAddress>,
) -> Result<String, ConfigProblem> {
    match servers.find(|server| host::loopback(&server.host).is_none()) {
        Some(server) => Err(ConfigProblem::PeerKeyMissing { host: server.host.clone() }),
        None => Ok("no --peer-key: every user of this machine can speak as a peer of the triad".to_owned()),
    }
}

/// The role of the only SERVER line that names this host.
fn own_role(license: &License) -> Result<Role, ConfigProblem> {
    let name = host::own_name();
    let own = license
        .servers
        .iter()
        .zip(Role::ALL)
        .filter(|(server, _)| host::names_this_host(&server.host, &name));
    let roles: Vec<Role> = own.map(|(_, role)| role).collect();
    match roles[..] {
        [role] => Ok(role),
        _ => Err(ConfigProblem::Role { matches: roles.len(), host: name }),
    }
}
