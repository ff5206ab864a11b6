//! The bytes of a license that travels in parts.

use crate::codec::{self, CodecError};
use crate::license::Compiled;

/// Format of these bytes, their first.
pub const FORMAT: u8 = 1;

const WHAT: &str = "license in parts";

/// The bytes of a license, format first: what is cut into parts.
pub fn to_bytes(compiled: &Compiled) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    codec::append_to(&mut bytes, compiled);
    bytes
}

/// Reads what [`to_bytes`] wrote.
///
/// # Errors
///
/// Another format, or bytes that do not decode exactly.
pub fn from_bytes(bytes: &[u8]) -> Result<Compiled, CodecError> {
    match bytes.split_first() {
        Some((&FORMAT, content)) => codec::from_large_bytes(content, WHAT),
        Some((&found, _)) => Err(CodecError::UnknownVersion { what: WHAT, found, known: FORMAT }),
        None => Err(CodecError::Malformed { what: WHAT, problem: "there are no bytes".to_owned() }),
    }
}
