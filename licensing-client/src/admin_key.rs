//! The key administrators share with the servers, and how knowing it is proved without showing it.
//!
//! The server sends 32 random bytes in its welcome; the proof is their HMAC-SHA256 (RFC 2104) under the key. The
//! bytes are new for every connection, so a proof that was overheard is of no use on another.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Hex digits of a key file: 32 bytes, the output length of the hash, beyond which a longer key adds nothing.
const HEX_DIGITS: usize = 64;

/// A key file that holds no key. Its content is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminKeyError {
    /// Too short or too long.
    #[error(
        "an admin key is {HEX_DIGITS} hex digits, this has {found} characters: make one with `openssl rand -hex 32`"
    )]
    Length {
        /// Characters found, blanks at both ends left out.
        found: usize,
    },
    /// A character that is no hex digit.
    #[error(
        "an admin key is {HEX_DIGITS} hex digits, character {place} is none: make one with `openssl rand -hex 32`"
    )]
    Digit {
        /// Which character, from 1.
        place: usize,
    },
}

/// The administrators' key.
#[derive(Clone)]
pub struct AdminKey([u8; 32]);

impl AdminKey {
    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> AdminKey {
        AdminKey(bytes)
    }

    /// Reads the content of a key file: 64 hex digits, with blanks or a line end around them if need be.
    ///
    /// Errors: another length, or a character that is no hex digit.
    pub fn parse(text: &str) -> Result<AdminKey, AdminKeyError> {
        let text = text.trim();
        if let Some(place) = text.chars().position(|character| !character.is_ascii_hexdigit()) {
            return Err(AdminKeyError::Digit { place: place + 1 });
        }
        let found = text.len();
        if found != HEX_DIGITS {
            return Err(AdminKeyError::Length { found });
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = pair.iter().map(|digit| char::from(*digit).to_digit(16).unwrap_or_default());
            *byte = digits.fold(0, |value, digit| value << 4 | digit as u8);
        }
        Ok(AdminKey(bytes))
    }

    /// The proof for a welcome's challenge.
    pub fn proof(&self, challenge: &[u8; 32]) -> [u8; 32] {
        self.mac(challenge).finalize().into_bytes().into()
    }

    /// Whether a proof is right, for servers; takes the same time wherever it differs.
    pub fn verifies(&self, challenge: &[u8; 32], proof: &[u8; 32]) -> bool {
        self.mac(challenge).verify_slice(proof).is_ok()
    }

    fn mac(&self, challenge: &[u8; 32]) -> Hmac<Sha256> {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .unwrap_or_else(|error| unreachable!("HMAC refused a key of 32 bytes: {error}"));
        mac.update(challenge);
        mac
    }
}

/// Shows that there is a key, never its value.
impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_fits_its_challenge_and_key_only() {
        let key = AdminKey::parse(&format!(" {}\n", "0f".repeat(32))).unwrap();
        let proof = key.proof(&[7; 32]);
        assert!(key.verifies(&[7; 32], &proof));
        assert!(!key.verifies(&[8; 32], &proof));
        assert!(!AdminKey::from_bytes([1; 32]).verifies(&[7; 32], &proof));
        assert_eq!(proof, AdminKey::from_bytes([0x0f; 32]).proof(&[7; 32]));
    }

    #[test]
    fn the_proof_is_hmac_sha256() {
        // Computed with Python: hmac.new(bytes(range(32)), bytes([0xaa]*32), "sha256").
        let key = AdminKey::from_bytes(std::array::from_fn(|place| place as u8));
        let hex: String = key.proof(&[0xaa; 32]).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "43990e16779c4e9fd34d5e26ea42dc39be411c5828d0298fed3d5acdede9932e");
    }

    #[test]
    fn what_is_no_key_is_told_without_repeating_it() {
        let error = AdminKey::parse("abc").unwrap_err().to_string();
        assert_eq!(
            error,
            "an admin key is 64 hex digits, this has 3 characters: make one with `openssl rand -hex 32`"
        );
        let error = AdminKey::parse(&"0g".repeat(32)).unwrap_err();
        assert_eq!(error, AdminKeyError::Digit { place: 2 });
        assert_eq!(format!("{:?}", AdminKey::from_bytes([1; 32])), "AdminKey(secret)");
    }
}
