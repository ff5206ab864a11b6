//! Feature versions, compared as exact decimal numbers.
//!
//! FlexNet versions are decimal numbers, not dotted lists: 2.10 equals 2.1 and both are less than 2.9. The
//! property kept: the comparison works on the digits themselves, so it is exact for every length and equal
//! on every machine; equality, order and hash all follow the value, while [`Display`](std::fmt::Display)
//! gives back the text of the license. A version never becomes a floating-point number.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest version accepted, in characters. Publishers keep to ten; we accept 31 because date versions with
/// times occur and a refused license helps nobody, and stop there because versions are kept per checkout.
pub const MAX_VERSION_CHARACTERS: usize = 31;

/// The version of a feature, such as `2.10` (FlexNet License Administration Guide, FEATURE and INCREMENT
/// Lines: `feat_version`). Compares by value: `1`, `1.0` and `1.000` are equal. Serialised as its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// ASCII digits with at most one point and at least one digit.
    text: String,
}

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// No text at all.
    #[error("it is empty")]
    Empty,
    /// A point without digits.
    #[error("it has no digits")]
    NoDigits,
    /// Longer than [`MAX_VERSION_CHARACTERS`].
    #[error("it is longer than {MAX_VERSION_CHARACTERS} characters")]
    TooLong,
    /// A second decimal point, as in `1.2.3`.
    #[error("it has a second point")]
    SecondPoint,
    /// A plus or minus sign.
    #[error("it has a sign")]
    Sign,
    /// Any other character, usually a letter.
    #[error("it contains {0:?}")]
    Character(char),
}

impl Version {
    /// The version as the license writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The version as `lmstat` prints it behind a checkout (`v1.000`, without the v): the text as given,
    /// its fraction padded with zeros to at least three digits.
    pub fn padded(&self) -> String {
        let (integer, fraction) = self.parts();
        let integer = if integer.is_empty() { "0" } else { integer };
        format!("{integer}.{fraction:0<3}")
    }

    /// Integer digits and fraction digits as written, either may be empty.
    fn parts(&self) -> (&str, &str) {
        self.text.split_once('.').unwrap_or((&self.text, ""))
    }

    /// Integer digits without leading zeros and fraction digits without trailing zeros: equal exactly when
    /// the values are.
    fn significant(&self) -> (&str, &str) {
        let (integer, fraction) = self.parts();
        (integer.trim_start_matches('0'), fraction.trim_end_matches('0'))
    }

    /// Whether this looks like a `yyyy.mdd` date version, which does not order like a calendar: 2020.201
    /// (1 February) is more than 2020.1231.
    pub(crate) fn is_short_date(&self) -> bool {
        let (integer, fraction) = self.parts();
        integer.len() == 4
            && (integer.starts_with("19") || integer.starts_with("20"))
            && fraction.len() == 3
            && fraction != "000"
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Version, VersionError> {
        let mut points = 0;
        let mut digits = 0;
        for (index, character) in text.chars().enumerate() {
            match character {
                _ if index >= MAX_VERSION_CHARACTERS => return Err(VersionError::TooLong),
                '0'..='9' => digits += 1,
                '.' if points == 0 => points = 1,
                '.' => return Err(VersionError::SecondPoint),
                '+' | '-' => return Err(VersionError::Sign),
                other => return Err(VersionError::Character(other)),
            }
        }
        match (digits, points) {
            (0, 0) => Err(VersionError::Empty),
            (0, _) => Err(VersionError::NoDigits),
            _ => Ok(Version { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Version, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.text
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.text)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        let (own_integer, own_fraction) = self.significant();
        let (its_integer, its_fraction) = other.significant();
        // Without leading zeros the longer integer is the larger one. Fractions are aligned at the point,
        // where comparing character by character is comparing with zeros appended.
        own_integer
            .len()
            .cmp(&its_integer.len())
            .then_with(|| own_integer.cmp(its_integer))
            .then_with(|| own_fraction.cmp(its_fraction))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.significant() == other.significant()
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.significant().hash(state);
    }
}
