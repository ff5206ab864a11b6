//! Format 1 of a log entry.

use crate::codec::{self, CodecError};
use crate::command::Proposal;

pub(super) fn write(proposal: &Proposal, bytes: &mut Vec<u8>) {
    codec::append_to(bytes, proposal);
}

pub(super) fn read(content: &[u8]) -> Result<Proposal, CodecError> {
    codec::from_bytes(content, super::PROPOSAL)
}
