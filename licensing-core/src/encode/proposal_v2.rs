//! Format 2 of a log entry: what is installed is data.

use super::names::PROPOSAL;
use crate::codec::{self, CodecError};
use crate::command::Proposal;

pub(super) const FORMAT: u8 = 2;

pub(super) fn write(proposal: &Proposal, bytes: &mut Vec<u8>) {
    bytes.push(FORMAT);
    codec::append_to(bytes, proposal);
}

pub(super) fn read(content: &[u8]) -> Result<Proposal, CodecError> {
    codec::from_bytes(content, PROPOSAL)
}
