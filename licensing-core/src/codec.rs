//! Values to bytes and back: the one place that names the codec (bincode 2, little-endian variable-length integers).
//!
//! Bytes are always decoded from a complete slice, with a limit on what a length inside may claim, and nothing may be
//! left over. So a forged length cannot allocate more than the limit, and two readers cannot disagree on where a
//! value ends. The exit, should bincode have to go, is postcard: ADR 0004.

use bincode::config;
use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserializer, Serialize, forward_to_deserialize_any};

/// Most bytes a decoded message may claim: the largest frame of a peer (4 MiB: a batch of entries) with its envelope.
pub const MESSAGE_LIMIT: usize = 5 << 20;

/// Most bytes a decoded snapshot may claim: a million checkouts are about 60 MB, so this is out of reach for honest
/// data and still below what would exhaust a server's memory.
pub const SNAPSHOT_LIMIT: usize = 1 << 30;

/// Room for a checkout or its answer, so that their bytes are not moved while they are written.
pub(crate) const USUAL_BYTES: usize = 128;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// They do not decode.
    #[error("malformed {what}: {problem}")]
    Malformed {
        /// The kind of value.
        what: &'static str,
        /// What the decoder says.
        problem: String,
    },
    /// They decode, and something is left over.
    #[error("malformed {what}: {left} bytes too many")]
    Trailing {
        /// The kind of value.
        what: &'static str,
        /// How many bytes were left.
        left: usize,
    },
    /// They were written in a format this version does not know.
    #[error("{what} has format version {found}, this version reads up to {known}: upgrade this server")]
    UnknownVersion {
        /// The kind of value.
        what: &'static str,
        /// The version byte found.
        found: u8,
        /// The newest version this program reads.
        known: u8,
    },
    /// The content contradicts itself.
    #[error("inconsistent {what}: {problem}")]
    Inconsistent {
        /// The kind of value.
        what: &'static str,
        /// What is wrong.
        problem: String,
    },
}

/// The bytes of a value. Cannot fail for the types of this project: none has an unsized sequence or a failing
/// `Serialize`.
pub fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    append_to(&mut bytes, value);
    bytes
}

/// Appends the bytes of a value.
pub fn append_to<T: Serialize>(bytes: &mut Vec<u8>, value: &T) {
    // Writing to memory has no I/O to fail, and our types only derive Serialize.
    bincode::serde::encode_into_std_write(value, bytes, config::standard())
        .unwrap_or_else(|error| unreachable!("a derived Serialize failed: {error}"));
}

/// A value of at most [`MESSAGE_LIMIT`] bytes. `what` names it in errors.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, CodecError> {
    decode(
        bincode::serde::decode_from_slice(bytes, config::standard().with_limit::<MESSAGE_LIMIT>()),
        bytes,
        what,
    )
}

/// A value of at most [`SNAPSHOT_LIMIT`] bytes, for bytes whose checksum has been verified.
pub fn from_large_bytes<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, CodecError> {
    decode(
        bincode::serde::decode_from_slice(bytes, config::standard().with_limit::<SNAPSHOT_LIMIT>()),
        bytes,
        what,
    )
}

fn decode<T>(
    decoded: Result<(T, usize), bincode::error::DecodeError>,
    bytes: &[u8],
    what: &'static str,
) -> Result<T, CodecError> {
    let (value, used) =
        decoded.map_err(|error| CodecError::Malformed { what, problem: error.to_string() })?;
    match bytes.len() - used {
        0 => Ok(value),
        left => Err(CodecError::Trailing { what, left }),
    }
}

/// The names of an enum's variants, each at the place of its number; none for another type. For tests that pin the
/// numbers: a variant that is new cannot be forgotten there.
pub fn variants<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut found: &'static [&'static str] = &[];
    // There is nothing to read: the type asks for one of its variants, and is told that there is none.
    let _ = T::deserialize(Asked(&mut found));
    found
}

/// Hears which variants a type has.
struct Asked<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = NoValue;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        *self.0 = variants;
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom("there is nothing to read"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
