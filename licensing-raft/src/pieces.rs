//! How much is moved at once. What a size decides is reached early when the sizes are small: tests make them so.

use licensing_core::command::MAX_PART_BYTES;

use crate::error::ConfigError;

/// Bytes of entries handed to one replication request: with its envelope it stays below a peer frame.
const READ_BYTES: usize = 2 << 20;

/// Bytes of state in one piece of a snapshot.
const CHUNK_BYTES: usize = 1 << 20;

/// Sessions ended by one proposal: keeps an entry small when a thousand clients vanish at once.
const SESSIONS: usize = 1024;

/// How much is moved at once. The usual is right for every site, and the most that can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pieces {
    /// Bytes of entries in one replication request; one entry always fits.
    pub read_bytes: usize,
    /// Bytes of state in one piece of a snapshot.
    pub chunk_bytes: usize,
    /// Bytes of a license in one entry; a longer one travels in parts of this size.
    pub part_bytes: usize,
    /// Sessions ended by one proposal.
    pub sessions: usize,
}

/// The usual.
impl Default for Pieces {
    fn default() -> Pieces {
        Pieces {
            read_bytes: READ_BYTES,
            chunk_bytes: CHUNK_BYTES,
            part_bytes: MAX_PART_BYTES,
            sessions: SESSIONS,
        }
    }
}

impl Pieces {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let most = Pieces::default();
        for (what, bytes, limit) in [
            ("read_bytes", self.read_bytes, most.read_bytes),
            ("chunk_bytes", self.chunk_bytes, most.chunk_bytes),
            ("part_bytes", self.part_bytes, most.part_bytes),
            ("sessions", self.sessions, most.sessions),
        ] {
            if !(1..=limit).contains(&bytes) {
                return Err(ConfigError::Pieces { what, found: bytes, limit });
            }
        }
        Ok(())
    }
}
