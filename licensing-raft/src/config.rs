//! What a node has to be told: who it is, who the others are, where its data lies, how fast it reacts.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use licensing_core::address::{FIRST_PORT, ServerAddress};
use licensing_core::edition::Edition;
use licensing_core::id::Role;
use licensing_core::license::{HeartbeatInterval, License};

use crate::error::ConfigError;
use crate::pieces::Pieces;

/// How fast the triad notices a dead master. All three servers must use the same values: a server's own lease decides
/// both how long it trusts a silent leader and how long it may serve without hearing from a quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// Time between two heartbeats, in milliseconds.
    pub heartbeat_ms: u64,
    /// How long a leader is trusted without a sign of life, in milliseconds. Failover takes this and about 10 ms; of a leader
    /// whose process is known to be dead, only the latter.
    pub lease_ms: u64,
}

impl Timings {
    /// 30 / 150 ms, for quiet hosts close to each other: failover in about 160 ms.
    pub fn fast() -> Timings {
        Timings { heartbeat_ms: 30, lease_ms: 150 }
    }

    /// What `HEARTBEAT_INTERVAL=s` asks for: a peer is given up after `4s - 1` seconds, as the FLEXnet License
    /// Administration Guide computes it; heartbeats go out three times per interval.
    pub fn from_heartbeat_interval(interval: HeartbeatInterval) -> Timings {
        let lease_ms = u64::from(interval.timeout_s()) * 1000;
        Timings { heartbeat_ms: (lease_ms + 1000) / 12, lease_ms }
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// How much earlier than its lease a master stops serving: clocks of two servers may run at rates that differ by
    /// this much of a lease (a tenth; real crystals differ by a ten-thousandth).
    pub(crate) fn lease_margin(&self) -> Duration {
        self.lease() / 10
    }

    fn check(&self) -> Result<(), ConfigError> {
        let Timings { heartbeat_ms, lease_ms, .. } = *self;
        if heartbeat_ms == 0 || lease_ms < heartbeat_ms * 3 {
            return Err(ConfigError::Timings { heartbeat_ms, lease_ms });
        }
        Ok(())
    }
}

/// 50 / 300 ms: failover in about 300 ms, and still calm on hosts whose disks or processors stall for 100 ms.
impl Default for Timings {
    fn default() -> Self {
        Timings { heartbeat_ms: 50, lease_ms: 300 }
    }
}

/// The secret the three servers prove themselves to each other with: 32 random bytes, written as 64 hex digits.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerKey(pub(crate) [u8; 32]);

impl PeerKey {
    /// Reads 64 hex digits; white space around them is ignored.
    pub fn parse(text: &str) -> Result<PeerKey, ConfigError> {
        let digits = text.trim();
        let wrong = || ConfigError::PeerKey { length: digits.chars().count() };
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(wrong());
        }
        let mut key = [0; 32];
        for (place, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[place * 2..place * 2 + 2], 16).map_err(|_| wrong())?;
        }
        Ok(PeerKey(key))
    }

    /// A new key from the operating system's randomness.
    pub fn generate() -> Result<PeerKey, ConfigError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| ConfigError::Randomness(error.to_string()))?;
        Ok(PeerKey(key))
    }

    /// The key as 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Shows that there is a key, never its value.
impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerKey(secret)")
    }
}

/// Everything a [`crate::Node`] has to be told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeConfig {
    /// Which of the three servers this is. A single server is the primary.
    pub role: Role,
    /// Where the servers listen, in the order of the SERVER lines: three of a triad, or a single one. May change between
    /// starts.
    pub servers: Vec<ServerAddress>,
    /// What the servers must agree on before they talk: their host ids, in order ([`License::triad_identity`]).
    pub triad: String,
    /// PRIMARY_IS_MASTER: the primary is master whenever it can be.
    pub primary_is_master: bool,
    /// Directory for this server's data; made when missing, refused when it belongs to another server.
    pub data_dir: PathBuf,
    /// How fast to react.
    pub timings: Timings,
    /// How long a session lives without a sign of life: a lower bound, through failovers and clock jumps.
    /// With thousands of sessions it is longer, see [`crate::Node::session_grace`].
    pub session_grace: Duration,
    /// Longest time a server that keeps crashing must have been up before it is given mastership; zero gives it back
    /// at once, always.
    pub failback_hold: Duration,
    /// The peers' shared secret. Without one anybody who reaches the port can speak as a peer.
    pub peer_key: Option<PeerKey>,
    /// Found the triad with two servers instead of three. For the day one host is lost before the first start.
    pub force_bootstrap: bool,
    /// Version of the program, shown in the status.
    pub software_version: String,
    /// Least number of entries between two snapshots; a large state takes fewer snapshots.
    pub snapshot_every: u64,
    /// Entries kept behind a snapshot: a server that was away for less than these is brought up to date by the log, and
    /// one that takes a snapshot from the master finds the log where the snapshot ends.
    pub log_kept: u64,
    /// How long all servers must have known a newer edition of the rules before the master raises the triad to it by
    /// itself: as long as one may go back to the version before.
    pub upgrade_after: Duration,
    /// How much is moved at once.
    pub pieces: Pieces,
    /// The newest edition of the rules this server knows. Less than [`Edition::NEWEST`] only in tests of upgrades.
    pub known_edition: Edition,
}

impl NodeConfig {
    /// The configuration a license file asks for; fields may be changed before the start.
    ///
    /// Fails unless the file has three SERVER lines with ports, or one. A single line without a port gets
    /// [`FIRST_PORT`].
    pub fn from_license(
        license: &License,
        role: Role,
        data_dir: impl Into<PathBuf>,
    ) -> Result<NodeConfig, ConfigError> {
        let is_single = license.servers.len() == 1;
        let mut servers = Vec::with_capacity(license.servers.len());
        for line in &license.servers {
            let port = line.port.or(is_single.then_some(FIRST_PORT));
            let port =
                port.ok_or_else(|| ConfigError::NoPort { host: line.host.clone(), line: line.line })?;
            servers.push(ServerAddress::new(&line.host, port));
        }
        if !matches!(servers.len(), 1 | 3) {
            return Err(ConfigError::NotATriad { servers: servers.len() });
        }
        Ok(NodeConfig {
            role,
            servers,
            triad: license.triad_identity().to_string(),
            primary_is_master: license.primary_is_master(),
            data_dir: data_dir.into(),
            timings: license.heartbeat_interval().map(Timings::from_heartbeat_interval).unwrap_or_default(),
            session_grace: Duration::from_secs(10),
            failback_hold: Duration::from_secs(30),
            peer_key: None,
            force_bootstrap: false,
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            snapshot_every: 5000,
            log_kept: 20_000,
            upgrade_after: Duration::from_secs(3600),
            pieces: Pieces::default(),
            known_edition: Edition::NEWEST,
        })
    }

    /// Whether this server is alone: it has no peers, and is master whenever it runs.
    pub fn is_single(&self) -> bool {
        self.servers.len() == 1
    }

    /// The roles of all servers, in order.
    pub fn roles(&self) -> impl Iterator<Item = Role> + use<> {
        Role::ALL.into_iter().take(self.servers.len())
    }

    /// The roles of the other servers, in order.
    pub fn others(&self) -> impl Iterator<Item = Role> + use<> {
        let own = self.role;
        self.roles().filter(move |role| *role != own)
    }

    /// Whether a node can be started with this.
    ///
    /// # Errors
    ///
    /// The first thing that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self.servers.len() {
            3 => {}
            1 if self.role == Role::Primary => {}
            1 => return Err(ConfigError::SingleIsPrimary { role: self.role }),
            servers => return Err(ConfigError::NotATriad { servers }),
        }
        self.timings.check()?;
        self.pieces.check()?;
        if self.session_grace < self.timings.lease() * 2 {
            return Err(ConfigError::Grace {
                grace_ms: self.session_grace.as_millis() as u64,
                lease_ms: self.timings.lease_ms,
            });
        }
        if self.force_bootstrap && !self.role.may_serve() {
            return Err(ConfigError::ForcedByTertiary);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_key_is_read_as_it_was_written() {
        let key = PeerKey::generate().unwrap();
        assert_eq!(PeerKey::parse(&format!("{}\n", key.to_hex())).unwrap(), key);
        assert!(format!("{key:?}").contains("secret"));
    }

    #[test]
    fn a_key_of_another_form_is_refused_with_its_length() {
        for (text, length) in [("", 0), ("abc", 3), (&"g".repeat(64) as &str, 64), (&"é".repeat(32), 32)] {
            assert_eq!(PeerKey::parse(text), Err(ConfigError::PeerKey { length }), "{text}");
        }
    }

    #[test]
    fn a_lease_must_span_three_heartbeats() {
        assert!(Timings::default().check().is_ok());
        assert!(Timings::fast().check().is_ok());
        assert!(Timings { heartbeat_ms: 0, ..Timings::default() }.check().is_err());
        assert!(Timings { heartbeat_ms: 101, ..Timings::default() }.check().is_err());
    }
}
