//! Vendor data: bytes of a daemon's or an application's own, kept beside the seats and never read.
//!
//! Three things have some: a session, a checkout, and the triad itself, which keeps a small map for the daemon's settings.
//! What belongs to a session or checkout goes with it. The property kept: what is counted is what is there, and nothing is
//! kept beyond its limit.

use std::sync::Arc;

use imbl::OrdMap;

use crate::command::MAX_NAME_BYTES;
use crate::id::{Handle, LogIndex, SessionId};
use crate::outcome::Denial;

/// Most bytes a session or a checkout has: what describes one holder, not what it works on.
pub const MAX_DATA_BYTES: usize = 1024;

/// Most bytes all sessions and checkouts have together. A million checkouts with 64 bytes each fit; a snapshot, which
/// takes some 60 MB for them, about doubles.
pub const MAX_DATA_BYTES_IN_ALL: u64 = 64 << 20;

/// Most bytes of the triad's own map, keys and values: it is in every snapshot, and one status page tells all of it.
pub const MAX_TRIAD_DATA_BYTES: usize = 256 << 10;

/// What each key of the triad's map counts besides its bytes and those of its value.
const KEY_OVERHEAD: usize = 32;

/// All there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VendorData {
    pub(crate) sessions: OrdMap<SessionId, Arc<[u8]>>,
    pub(crate) checkouts: OrdMap<Handle, Arc<[u8]>>,
    pub(crate) triad: OrdMap<Arc<str>, TriadData>,
    /// Derived: the bytes of sessions and checkouts.
    pub(crate) bytes: u64,
    /// Derived: what the triad's map counts.
    pub(crate) triad_bytes: usize,
}

/// A value of the triad's map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TriadData {
    pub(crate) value: Arc<[u8]>,
    /// The entry that set it.
    pub(crate) set_at: LogIndex,
}

impl VendorData {
    /// Whether so many bytes may take the place of what a session or checkout has.
    pub(crate) fn has_room(&self, bytes: &[u8], before: usize) -> Result<(), Denial> {
        let after = self.bytes - length(before) + length(bytes.len());
        if after > MAX_DATA_BYTES_IN_ALL && bytes.len() > before {
            return Err(Denial::VendorDataFull { limit: MAX_DATA_BYTES_IN_ALL });
        }
        Ok(())
    }

    /// What a checkout has from now on; nothing when empty.
    pub(crate) fn set_checkout(&mut self, handle: Handle, bytes: &[u8]) {
        self.bytes += length(bytes.len());
        self.bytes -= length(replace(&mut self.checkouts, handle, bytes));
    }

    /// What a session has from now on; nothing when empty.
    pub(crate) fn set_session(&mut self, session: SessionId, bytes: &[u8]) {
        self.bytes += length(bytes.len());
        self.bytes -= length(replace(&mut self.sessions, session, bytes));
    }

    /// Sets a key of the triad's map, or removes it.
    pub(crate) fn set_triad(&mut self, key: &str, value: Option<&[u8]>, at: LogIndex) -> Result<(), Denial> {
        check_key(key)?;
        let before = self.triad.get(key).map_or(0, |data| counted(key, &data.value));
        let after = value.map_or(0, |value| counted(key, value));
        let bytes = self.triad_bytes - before + after;
        if bytes > MAX_TRIAD_DATA_BYTES && after > before {
            return Err(Denial::VendorDataFull { limit: length(MAX_TRIAD_DATA_BYTES) });
        }
        self.triad_bytes = bytes;
        match value {
            Some(value) => self.triad.insert(key.into(), TriadData { value: value.into(), set_at: at }),
            None => self.triad.remove(key),
        };
        Ok(())
    }

    /// Counts anew what is derived: sessions' and checkouts' bytes, and those of the triad.
    pub(crate) fn recount(&self) -> (u64, usize) {
        let attached = self.sessions.values().chain(self.checkouts.values());
        let triad = self.triad.iter().map(|(key, data)| counted(key, &data.value));
        (attached.map(|bytes| length(bytes.len())).sum(), triad.sum())
    }
}

/// Whether the triad's map may have such a key.
pub(crate) fn check_key(key: &str) -> Result<(), Denial> {
    if (1..=MAX_NAME_BYTES).contains(&key.len()) && !key.chars().any(char::is_control) {
        return Ok(());
    }
    let what = format!("{key:?} is no key of vendor data: 1 to {MAX_NAME_BYTES} bytes, all printable");
    Err(Denial::InvalidParameter { what })
}

/// Whether a session or checkout may have so much.
pub(crate) fn check_length(bytes: &[u8]) -> Result<(), Denial> {
    if bytes.len() <= MAX_DATA_BYTES {
        return Ok(());
    }
    let what =
        format!("{} bytes of vendor data: a session or checkout has at most {MAX_DATA_BYTES}", bytes.len());
    Err(Denial::InvalidParameter { what })
}

fn counted(key: &str, value: &[u8]) -> usize {
    KEY_OVERHEAD + key.len() + value.len()
}

/// Gives the length of what was there.
fn replace<K: Ord + Clone>(map: &mut OrdMap<K, Arc<[u8]>>, key: K, bytes: &[u8]) -> usize {
    let before = if bytes.is_empty() { map.remove(&key) } else { map.insert(key, bytes.into()) };
    before.map_or(0, |before| before.len())
}

fn length(bytes: usize) -> u64 {
    bytes as u64
}
