//! How client and server introduce themselves. The same in every version of the protocol.

use licensing_core::edition::Edition;
use licensing_core::id::Role;
use serde::{Deserialize, Serialize};

/// First bytes of a client's connection; peers, TLS and plain text begin differently.
pub const PREAMBLE: [u8; 4] = *b"\0LSC";

/// The versions of the protocol that this program speaks, oldest and newest. Client and server take the newest that both
/// do. Version 1 is for good: every later server speaks it, so no client is ever too old.
pub const PROTOCOL_VERSIONS: (u16, u16) = (1, 1);

/// Longest hello a server reads, in bytes: versions, the name of a program, a flag, and room for what later versions want to
/// say.
pub const MAX_HELLO_BYTES: usize = 4096;

/// Number of a pair in the welcome: the newest edition of the rules that the server knows, four bytes, little-endian. A server that
/// does not say so knows [`Edition::SEVERAL_VENDORS`]. What a later edition brings is not asked of it: it could not read that.
pub const KNOWN_EDITION: u16 = 1;

/// The pair of a server that knows this edition.
pub fn known_edition(edition: Edition) -> (u16, Vec<u8>) {
    (KNOWN_EDITION, edition.0.to_le_bytes().to_vec())
}

/// What the pairs of a welcome say of that.
pub fn edition_of(more: &[(u16, Vec<u8>)]) -> Edition {
    let said = more.iter().find(|(number, _)| *number == KNOWN_EDITION);
    let said = said.and_then(|(_, bytes)| <[u8; 4]>::try_from(bytes.as_slice()).ok());
    said.map_or(Edition::SEVERAL_VENDORS, |bytes| Edition(u32::from_le_bytes(bytes)))
}

/// The client introduces itself. The same in every version of the protocol: what later ones want to say besides goes
/// into `more`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The oldest version the client speaks.
    pub from: u16,
    /// The newest.
    pub to: u16,
    /// Name and version of the program, for logs.
    pub software: String,
    /// Ask a standby to pass this connection on to the master, for clients that can reach only a load balancer.
    pub relay: bool,
    /// Set by a standby that passes a connection on: the client is not where the connection comes from.
    pub relayed_by: Option<Role>,
    /// What later versions want to say, by number. Who does not know a number ignores it.
    pub more: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    /// A client of this version.
    pub fn new(software: impl Into<String>) -> Hello {
        let (from, to) = PROTOCOL_VERSIONS;
        Hello { from, to, software: software.into(), relay: false, relayed_by: None, more: Vec::new() }
    }
}

/// The server introduces itself. The same in every version of the protocol, as [`Hello`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Welcome {
    /// The connection may be used.
    Ready {
        /// The version that is spoken from here on.
        version: u16,
        /// Whom the client is talking to, and who is master.
        whereabouts: Whereabouts,
        /// How often the client should send [`Request::Heartbeat`](super::Request::Heartbeat), in milliseconds.
        heartbeat_ms: u64,
        /// How long a session survives without a sign of life, in milliseconds.
        grace_ms: u64,
        /// 32 random bytes for proving the admin key.
        challenge: [u8; 32],
        /// What later versions want to say, by number. Who does not know a number ignores it.
        more: Vec<(u16, Vec<u8>)>,
    },
    /// The connection may not be used; the server closes it.
    Refused(Refusal),
}

/// Why a server will not talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// No protocol version in common.
    #[error("the server speaks protocol versions {from} to {to}, this client others: upgrade the older one")]
    Version {
        /// The oldest the server speaks.
        from: u16,
        /// The newest.
        to: u16,
    },
    /// All connections are taken.
    #[error("the server has all its {limit} connections in use")]
    TooManyConnections {
        /// How many it keeps.
        limit: u32,
    },
}

/// Whom a client is talking to, and who is master as far as that server knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Role of this server.
    pub role: Role,
    /// The master, if one is known.
    pub master: Option<MasterAddress>,
}

impl Whereabouts {
    /// Whether this server is itself the master.
    pub fn is_master(&self) -> bool {
        self.master.as_ref().is_some_and(|master| master.role == self.role)
    }
}

/// Where the master is, as the license file names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterAddress {
    /// Its role.
    pub role: Role,
    /// Host of its SERVER line.
    pub host: String,
    /// Port of its SERVER line.
    pub port: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers of the version before say nothing of it; what is said in another length is not understood.
    #[test]
    fn a_welcome_tells_the_edition_its_server_knows() {
        assert_eq!(edition_of(&[(7, vec![1]), known_edition(Edition(9))]), Edition(9));
        assert_eq!(edition_of(&[]), Edition::SEVERAL_VENDORS);
        assert_eq!(edition_of(&[(KNOWN_EDITION, vec![9])]), Edition::SEVERAL_VENDORS);
    }
}
