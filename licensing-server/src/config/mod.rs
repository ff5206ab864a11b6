//! What the server is told, gathered from the command line, the license file and the key files, and checked before
//! anything is opened.

mod host;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use licensing_admin::key_file::{self, KeyFileError};
use licensing_client::search_path::PORTS;
use licensing_core::id::Role;
use licensing_core::license::License;
use licensing_daemon::{DaemonConfig, LicenseFile, LicenseFileError};
use licensing_raft::{ConfigError, PeerKey, ServerAddress, Timings};

/// What the command line says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServeOptions {
    /// The license files, one for each vendor.
    pub licenses: Vec<PathBuf>,
    /// Which of the three servers this is; `None` finds out by the host's name. A single server has no role.
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
    /// Two files cannot be served together.
    #[error("{} and {} cannot be served together: {problem}", first.display(), second.display())]
    Together {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// What they disagree on.
        problem: String,
    },
    /// There is no license file.
    #[error("no license file is named: give one with --license for each vendor")]
    NoLicense,
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
    let mut licenses = Vec::with_capacity(options.licenses.len());
    for path in &options.licenses {
        licenses.push(LicenseFile::read(path)?);
    }
    let first = licenses.first().cloned().ok_or(ConfigProblem::NoLicense)?;
    check_together(&licenses)?;
    let about_file = |problem| ConfigProblem::Node { path: first.path.clone(), problem };
    // The role does not matter yet, and a file for another number of servers deserves the error about that first.
    let any = options.role.unwrap_or(Role::Primary);
    let mut config = DaemonConfig::from_license(first.clone(), any, &options.data_dir).map_err(about_file)?;
    config.licenses = licenses;
    let (node, warnings) = (&mut config.node, &mut config.warnings);
    node.role = match options.role {
        Some(role) => role,
        None if node.is_single() => Role::Primary,
        None => own_role(&first.license)?,
    };
    node.check().map_err(about_file)?;
    name_this_host(&mut config.addresses);
    node.software_version = crate::VERSION.to_owned();
    node.force_bootstrap = options.force_bootstrap;
    match (options.profile, first.license.heartbeat_interval()) {
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
        if let Some(server) = node.servers.get_mut(role.place()) {
            *server = address.clone();
        }
    }
    node.peer_key = match &options.peer_key {
        Some(path) => Some(key_file::read(path, PeerKey::parse)?),
        None if node.is_single() => None,
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
    for file in &config.licenses {
        warnings.extend(file.warnings());
    }
    Ok(config)
}

/// Files that are served together are for the same servers, and for different vendors.
fn check_together(licenses: &[LicenseFile]) -> Result<(), ConfigProblem> {
    for (place, second) in licenses.iter().enumerate() {
        for first in &licenses[..place] {
            let together = |problem| ConfigProblem::Together {
                first: first.path.clone(),
                second: second.path.clone(),
                problem,
            };
            let (ours, theirs) = (first.license.triad_identity(), second.license.triad_identity());
            if ours != theirs {
                return Err(together(format!("one is for {ours}, the other for {theirs}")));
            }
            if places(first) != places(second) {
                return Err(together("their SERVER lines name other hosts or ports".to_owned()));
            }
            if first.vendor() == second.vendor() {
                return Err(together(format!("both are of vendor {}", first.vendor())));
            }
        }
    }
    Ok(())
}

/// Where a file's clients look for the servers.
fn places(file: &LicenseFile) -> Vec<(String, Option<u16>)> {
    file.license.servers.iter().map(|server| (server.host.to_lowercase(), server.port)).collect()
}

/// `this_host` on a SERVER line means whoever reads it; to others this host is known by its name.
fn name_this_host(addresses: &mut [ServerAddress]) {
    for address in addresses.iter_mut().filter(|address| address.host.eq_ignore_ascii_case("this_host")) {
        address.host = host::own_name();
    }
}

/// The server got this port: of a SERVER line without one, the first that was free.
pub fn took_port(config: &mut DaemonConfig, port: u16) {
    if config.node.is_single() && has_no_port(config) {
        config.addresses.iter_mut().chain(&mut config.node.servers).for_each(|server| server.port = port);
    }
}

fn has_no_port(config: &DaemonConfig) -> bool {
    config.licenses.first().is_some_and(|file| file.license.servers.iter().all(|line| line.port.is_none()))
}

/// Where to listen unless told otherwise, in the order to try: the port of the own SERVER line, or where it names none
/// the first free one of 27000 to 27009; on the loopback when its host is the loopback, else on all addresses (the
/// second is for hosts without IPv6).
pub fn default_listen(config: &DaemonConfig) -> Vec<SocketAddr> {
    let Some(own) = config.node.servers.get(config.node.role.place()) else { return Vec::new() };
    let addresses = match (host::loopback(&own.host), &*own.host) {
        (Some(address), _) => vec![address],
        (None, _) => vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
    };
    let more = if config.node.is_single() && has_no_port(config) { PORTS } else { 1 };
    let ports = own.port..own.port.saturating_add(more);
    ports.flat_map(|port| addresses.iter().map(move |address| SocketAddr::new(*address, port))).collect()
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
