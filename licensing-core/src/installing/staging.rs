//! A license on its way in parts, until an entry makes it valid.
//!
//! The property kept: parts follow each other without a gap, there is one license on its way at a time, and neither its
//! size nor its stay is without limit.

use std::sync::Arc;

use imbl::Vector;
use sha2::{Digest as _, Sha256};

use crate::command::MAX_PART_BYTES;
use crate::digest::Digest;
use crate::id::Timestamp;
use crate::outcome::Denial;

/// Most bytes on their way: the largest license file with all it says, which takes up to three times its text.
pub const MAX_STAGED_BYTES: usize = 64 << 20;

/// How long parts are kept that nobody adds to, in ms: who proposes them sends one after the other.
pub const STAGED_FOR_MS: u64 = 10 * 60 * 1000;

/// The parts so far.
#[derive(Debug, Clone)]
pub(crate) struct Staging {
    pub(crate) digest: Digest,
    pub(crate) parts: Vector<Arc<[u8]>>,
    /// Together.
    pub(crate) bytes: usize,
    /// When the newest part came.
    pub(crate) since: Timestamp,
    /// Of the parts so far.
    sum: Sha256,
}

impl PartialEq for Staging {
    fn eq(&self, other: &Staging) -> bool {
        (self.digest, self.since, &self.parts) == (other.digest, other.since, &other.parts)
    }
}

impl Eq for Staging {}

impl Staging {
    /// Before its first part.
    pub(crate) fn new(digest: Digest) -> Staging {
        Staging { digest, parts: Vector::new(), bytes: 0, since: Timestamp(0), sum: Sha256::new() }
    }

    /// Adds the next part, or finds that it is there already.
    pub(crate) fn add(&mut self, part: u32, bytes: &[u8], at: Timestamp) -> Result<(), Denial> {
        let next = self.parts.len();
        let place = part as usize;
        if bytes.len() > MAX_PART_BYTES {
            return refused(format!(
                "part {part} of a license has {} bytes, at most {MAX_PART_BYTES}",
                bytes.len()
            ));
        }
        if self.parts.get(place).is_some_and(|known| **known == *bytes) {
            self.since = at;
            return Ok(());
        }
        if place != next {
            return Err(Denial::PartsMissing { parts: u32::try_from(next).unwrap_or(u32::MAX) });
        }
        if self.bytes + bytes.len() > MAX_STAGED_BYTES {
            return refused(format!(
                "the license takes more than {MAX_STAGED_BYTES} bytes: remove lines that have expired"
            ));
        }
        self.parts.push_back(bytes.into());
        self.bytes += bytes.len();
        self.sum.update(bytes);
        self.since = at;
        Ok(())
    }

    /// Whether nobody has added to it for too long.
    pub(crate) fn is_stale(&self, at: Timestamp) -> bool {
        at.0.saturating_sub(self.since.0) >= STAGED_FOR_MS
    }

    /// Whether all parts are here.
    pub(crate) fn is_complete(&self) -> bool {
        Digest(self.sum.clone().finalize().into()) == self.digest
    }

    /// All parts behind each other, if they are all here.
    pub(crate) fn joined(&self) -> Option<Vec<u8>> {
        if !self.is_complete() {
            return None;
        }
        let mut bytes = Vec::with_capacity(self.bytes);
        self.parts.iter().for_each(|part| bytes.extend_from_slice(part));
        Some(bytes)
    }
}

fn refused(what: String) -> Result<(), Denial> {
    Err(Denial::InvalidParameter { what })
}
