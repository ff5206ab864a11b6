//! Host ids: what a SERVER line or a node-locked feature is tied to.
//!
//! The property kept: two spellings of one id are equal (`00-19-D2-44-E9-FC` and `0019d244e9fc`), because
//! operating systems and publishers disagree about dashes and letter case, while
//! [`Display`](std::fmt::Display) gives the id as the license writes it. This file never looks up the id of
//! the machine it runs on, and never judges an id by its length: ids of odd length are in use.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host id (FlexNet License Administration Guide, Hostids for Supported Platforms and Special Hostids).
/// Compares normalised, see [`HostId::normalised`]; displays as written; serialised as its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostId {
    /// `ANY`: every machine.
    Any,
    /// `DEMO`: every machine, on uncounted feature lines only.
    Demo,
    /// Hexadecimal digits, possibly with `-` or `:` between them: an Ethernet address or a 32-bit id.
    Hex(String),
    /// `KIND=value`: `COMPOSITE=`, `DISPLAY=`, `HOSTNAME=`, `ID=`, `INTERNET=`, `USER=`, and every type a
    /// publisher defines, such as `ACME_HOSTID=`.
    Typed {
        /// The part before the `=`, as written.
        kind: String,
        /// The part after it, as written, not empty.
        value: String,
    },
    /// `"id1 id2"`: any one of them will do.
    List(Vec<HostId>),
}

/// Why a text is not a host id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostIdError {
    /// No text at all.
    #[error("it is empty")]
    Empty,
    /// A type without a value, or a value without a type.
    #[error("one side of the = is empty")]
    EmptySide,
    /// Neither a known word, nor hexadecimal, nor `KIND=value`.
    #[error("{0:?} is not a hexadecimal digit")]
    NotHex(char),
}

impl HostId {
    /// The form in which ids are compared: lower case, dashes and colons removed. Display and user names
    /// keep their value unchanged, since they may differ in case alone. A list is sorted: its order has no
    /// meaning.
    pub fn normalised(&self) -> String {
        match self {
            HostId::Any => "any".to_owned(),
            HostId::Demo => "demo".to_owned(),
            HostId::Hex(text) => without_separators(text),
            HostId::Typed { kind, value } => {
                let kind = kind.to_ascii_lowercase();
                let value = match kind.as_str() {
                    "display" | "user" => value.clone(),
                    // A dash in a host name tells two hosts apart.
                    "hostname" | "internet" => value.to_lowercase(),
                    _ => without_separators(value),
                };
                format!("{kind}={value}")
            }
            HostId::List(ids) => {
                let mut ids: Vec<String> = ids.iter().map(HostId::normalised).collect();
                ids.sort();
                ids.dedup();
                ids.join(" ")
            }
        }
    }

    fn parse_one(text: &str) -> Result<HostId, HostIdError> {
        if let Some((kind, value)) = text.split_once('=') {
            if kind.is_empty() || value.is_empty() {
                return Err(HostIdError::EmptySide);
            }
            return Ok(HostId::Typed { kind: kind.to_owned(), value: value.to_owned() });
        }
        if text.eq_ignore_ascii_case("ANY") {
            return Ok(HostId::Any);
        }
        if text.eq_ignore_ascii_case("DEMO") {
            return Ok(HostId::Demo);
        }
        match text.chars().find(|c| !c.is_ascii_hexdigit() && *c != '-' && *c != ':') {
            Some(other) => Err(HostIdError::NotHex(other)),
            None if without_separators(text).is_empty() => Err(HostIdError::Empty),
            None => Ok(HostId::Hex(text.to_owned())),
        }
    }
}

fn without_separators(text: &str) -> String {
    text.chars().filter(|c| *c != '-' && *c != ':').flat_map(char::to_lowercase).collect()
}

impl FromStr for HostId {
    type Err = HostIdError;

    fn from_str(text: &str) -> Result<HostId, HostIdError> {
        let mut ids = text.split_whitespace().map(HostId::parse_one).collect::<Result<Vec<_>, _>>()?;
        match (ids.pop(), ids.is_empty()) {
            (None, _) => Err(HostIdError::Empty),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                ids.push(last);
                Ok(HostId::List(ids))
            }
        }
    }
}

impl std::fmt::Display for HostId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HostId::Any => f.write_str("ANY"),
            HostId::Demo => f.write_str("DEMO"),
            HostId::Hex(text) => f.write_str(text),
            HostId::Typed { kind, value } => write!(f, "{kind}={value}"),
            HostId::List(ids) => {
                for (index, id) in ids.iter().enumerate() {
                    let separator = if index == 0 { "" } else { " " };
                    write!(f, "{separator}{id}")?;
                }
                Ok(())
            }
        }
    }
}

impl TryFrom<String> for HostId {
    type Error = HostIdError;

    fn try_from(text: String) -> Result<HostId, HostIdError> {
        text.parse()
    }
}

impl From<HostId> for String {
    fn from(id: HostId) -> String {
        id.to_string()
    }
}

impl PartialEq for HostId {
    fn eq(&self, other: &HostId) -> bool {
        self.normalised() == other.normalised()
    }
}

impl Eq for HostId {}

impl PartialOrd for HostId {
    fn partial_cmp(&self, other: &HostId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HostId {
    fn cmp(&self, other: &HostId) -> Ordering {
        self.normalised().cmp(&other.normalised())
    }
}

impl Hash for HostId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normalised().hash(state);
    }
}
