//! State and proposals to versioned bytes and back, and the digest of a state.
//!
//! The bytes begin with a format version, so that a server that is not upgraded yet refuses a newer format by name
//! instead of misreading it. Every format ever written is read, each in a file of its own; written is the newest that the
//! edition of the rules allows. State bytes are canonical: equal states give equal bytes on every server, so digests can be
//! compared. What can be derived is not stored (indexes, counters) and is built again on decoding; a state that contradicts
//! itself is refused.
//!
//! `tests/golden.rs` keeps bytes of every format and checks that they still decode.

pub mod compiled;
mod names;
mod proposal_v1;
mod proposal_v2;
mod sequence;
mod state_v1;
mod state_v2;
mod state_v3;

use self::names::{PROPOSAL, STATE};
use crate::codec::{CodecError, USUAL_BYTES};
use crate::command::Proposal;
use crate::digest::Digest;
use crate::edition::Edition;
use crate::invariants;
use crate::state::State;

/// The newest format of states, their first byte. Which one is written depends on the edition of the rules.
pub const STATE_FORMAT: u8 = state_v3::FORMAT;

/// Format of the log entries that are written, their first byte.
pub const PROPOSAL_FORMAT: u8 = proposal_v2::FORMAT;

impl Proposal {
    /// The bytes of a log entry, format first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        proposal_v2::write(self, &mut bytes);
        bytes
    }

    /// Reads what [`Proposal::to_bytes`] of this or an older version wrote.
    ///
    /// # Errors
    ///
    /// A newer format, or bytes that do not decode exactly.
    pub fn from_bytes(bytes: &[u8]) -> Result<Proposal, CodecError> {
        match split(bytes, PROPOSAL)? {
            (1, content) => proposal_v1::read(content),
            (PROPOSAL_FORMAT, content) => proposal_v2::read(content),
            (found, _) => Err(CodecError::UnknownVersion { what: PROPOSAL, found, known: PROPOSAL_FORMAT }),
        }
    }
}

impl State {
    /// The canonical bytes, format first. Written straight from the maps: no second copy of them is made.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A checkout takes some 25 bytes, a session with its answers some 100: a large state is not moved while it is
        // written, and what is left over is given back.
        let room = (self.checkouts.len() * 30 + self.sessions.len() * 120).max(USUAL_BYTES);
        let mut bytes = Vec::with_capacity(room);
        if self.has_edition(Edition::VENDOR_DATA) {
            state_v3::write(self, &mut bytes);
        } else {
            state_v2::write(self, &mut bytes);
        }
        bytes.shrink_to_fit();
        bytes
    }

    /// Reads what [`State::to_bytes`] of this or an older version wrote, and checks it.
    ///
    /// # Errors
    ///
    /// A newer format, bytes that do not decode exactly, or a content that violates [`invariants::check`].
    pub fn from_bytes(bytes: &[u8]) -> Result<State, CodecError> {
        let read = match split(bytes, STATE)? {
            (1, content) => state_v1::read(content),
            (2, content) => state_v2::read(content),
            (STATE_FORMAT, content) => state_v3::read(content),
            (found, _) => Err(CodecError::UnknownVersion { what: STATE, found, known: STATE_FORMAT }),
        };
        let inconsistent = |problem| CodecError::Inconsistent { what: STATE, problem };
        let state = read?.map_err(inconsistent)?;
        invariants::check(&state).map_err(|violation| inconsistent(violation.to_string()))?;
        Ok(state)
    }

    /// SHA-256 of [`State::to_bytes`]. Servers at the same log index must have the same.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }
}

/// The format, and the bytes behind it.
fn split<'a>(bytes: &'a [u8], what: &'static str) -> Result<(u8, &'a [u8]), CodecError> {
    match bytes.split_first() {
        Some((format, content)) => Ok((*format, content)),
        None => Err(CodecError::Malformed { what, problem: "there are no bytes".to_owned() }),
    }
}
