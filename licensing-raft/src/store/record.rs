//! The frame of everything written to disk: a format version, a checksum, the bytes. Version and checksum come first,
//! so that a reader knows what it looks at before it believes a byte of it.

use licensing_core::codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Format version of records. A newer one is refused by name, never guessed at.
pub const RECORD_VERSION: u8 = 1;
const HEADER: usize = 5;

/// Bytes on disk that are not what was written there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("the record is {0} bytes long, too short to be one")]
    Short(usize),
    #[error("the record has format version {0}, this program reads version {RECORD_VERSION}")]
    Version(u8),
    #[error("the checksum of the record is wrong")]
    Checksum,
    #[error(transparent)]
    Codec(#[from] codec::CodecError),
}

/// The record of a value.
pub(crate) fn write<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![RECORD_VERSION, 0, 0, 0, 0];
    codec::append_to(&mut bytes, value);
    let checksum = crc32c::crc32c(&bytes[HEADER..]);
    bytes[1..HEADER].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The checksum in a record; 0 of bytes that are too short to be one.
pub(crate) fn checksum(record: &[u8]) -> u32 {
    record.get(1..HEADER).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// The value of a record. `what` names it in errors.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, RecordError> {
    let (header, body) = bytes.split_at_checked(HEADER).ok_or(RecordError::Short(bytes.len()))?;
    if header[0] != RECORD_VERSION {
        return Err(RecordError::Version(header[0]));
    }
    if header[1..] != crc32c::crc32c(body).to_le_bytes() {
        return Err(RecordError::Checksum);
    }
    Ok(codec::from_large_bytes(body, what)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_no_flipped_bit_goes_unseen() {
        let value = (7u64, String::from("seat"), vec![1u32, 2, 3]);
        let bytes = write(&value);
        assert_eq!(read::<(u64, String, Vec<u32>)>(&bytes, "test").unwrap(), value);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read::<(u64, String, Vec<u32>)>(&flipped, "test").is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(read::<(u64, String, Vec<u32>)>(&bytes[..length], "test").is_err(), "length {length}");
        }
    }
}
