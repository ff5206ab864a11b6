//! State and proposals to versioned bytes and back, and the digest of a state.
//!
//! The bytes begin with a format version, so that a server that is not upgraded yet refuses a newer format by name
//! instead of misreading it. State bytes are canonical: equal states give equal bytes on every server, so digests
//! can be compared. What can be derived is not stored (indexes, counters, the parsed license) and is built again on
//! decoding; a state that contradicts itself is refused.
//!
//! `tests/golden.rs` keeps bytes of every released version and checks that they still decode.

mod proposal_v1;
mod state_v1;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::codec::{CodecError, USUAL_BYTES};
use crate::command::Proposal;
use crate::invariants;
use crate::state::State;

/// Format of the bytes written by this version, their first byte.
pub const FORMAT_VERSION: u8 = 1;

const STATE: &str = "state";
const PROPOSAL: &str = "proposal";

/// SHA-256 of the canonical bytes of a state. Servers at the same log index must have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

/// 64 lower-case hex digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Proposal {
    /// The bytes of a log entry, format version first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        bytes.push(FORMAT_VERSION);
        proposal_v1::write(self, &mut bytes);
        bytes
    }

    /// Reads what [`Proposal::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// Another format version, or bytes that do not decode exactly.
    pub fn from_bytes(bytes: &[u8]) -> Result<Proposal, CodecError> {
        proposal_v1::read(content(bytes, PROPOSAL)?)
    }
}

impl State {
    /// The canonical bytes, format version first. Written straight from the maps: no second copy of them is made.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A checkout takes some 25 bytes, a session with its answers some 100: a large state is not moved while it is
        // written, and what is left over is given back.
        let room = (self.checkouts.len() * 30 + self.sessions.len() * 120).max(USUAL_BYTES);
        let mut bytes = Vec::with_capacity(room);
        bytes.push(FORMAT_VERSION);
        state_v1::write(self, &mut bytes);
        bytes.shrink_to_fit();
        bytes
    }

    /// Reads what [`State::to_bytes`] wrote, and checks it.
    ///
    /// # Errors
    ///
    /// Another format version, bytes that do not decode exactly, or a content that violates
    /// [`invariants::check`].
    pub fn from_bytes(bytes: &[u8]) -> Result<State, CodecError> {
        let inconsistent = |problem| CodecError::Inconsistent { what: STATE, problem };
        let state = state_v1::read(content(bytes, STATE)?)?.map_err(inconsistent)?;
        invariants::check(&state).map_err(|violation| inconsistent(violation.to_string()))?;
        Ok(state)
    }

    /// SHA-256 of [`State::to_bytes`].
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.to_bytes()).into())
    }
}

/// The bytes behind the format version.
fn content<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a [u8], CodecError> {
    match bytes.split_first() {
        Some((&FORMAT_VERSION, content)) => Ok(content),
        Some((&found, _)) => Err(CodecError::UnknownVersion { what, found, known: FORMAT_VERSION }),
        None => Err(CodecError::Malformed { what, problem: "there are no bytes".to_owned() }),
    }
}
