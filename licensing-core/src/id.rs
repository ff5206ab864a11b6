//! Names and amounts: a newtype for every id and count, so that a handle is never taken for a session.
//!
//! Ids come from the replicated log (a session is named by the index of the entry that opened it, a handle by the
//! index of the entry that granted it), so every server gives the same names and no name is ever used twice.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Position in the replicated log. Every answer carries the index of the entry that decided it: a fencing token
    /// for users (a later grant has a larger index), a witness for the oracle.
    LogIndex(u64)
}
number! {
    /// One client across all its connections: the log index of its `OpenSession`.
    SessionId(u64)
}
number! {
    /// Seats held together by one checkout: the log index of the entry that granted them.
    Handle(u64)
}
number! {
    /// A client's own number for a request, counted from 1 without gaps within its session.
    RequestId(u64)
}
number! {
    /// A count of seats.
    Seats(u32)
}
number! {
    /// Name of a pool inside one state; stable while its license lines keep their pooling attributes.
    PoolId(u32)
}
number! {
    /// Milliseconds since 1970-01-01 UTC, as the master's proposal says; never read from a clock in this crate.
    Timestamp(u64)
}

/// The secret a session is resumed and spoken for with. Chosen at random by the client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Token(pub [u8; 16]);

impl Token {
    /// The token as 32 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads what [`Token::to_hex`] wrote; `None` when it is not exactly 32 hex digits.
    pub fn from_hex(text: &str) -> Option<Token> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 16];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(place * 2..place * 2 + 2)?, 16).ok()?;
        }
        Some(Token(bytes))
    }
}

/// Shows that there is a token, never its value: tokens must not leak through logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

/// Position of a server in the license file: the order of its SERVER lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// First SERVER line. Master whenever PRIMARY_IS_MASTER is set and it can be.
    Primary,
    /// Second SERVER line. Master when the primary cannot be.
    Secondary,
    /// Third SERVER line. Votes and keeps the state, never serves.
    Tertiary,
}

impl Role {
    /// All three, in the order of the SERVER lines.
    pub const ALL: [Role; 3] = [Role::Primary, Role::Secondary, Role::Tertiary];

    /// 1, 2 or 3: the place of the SERVER line, and the node id inside the triad.
    pub fn number(self) -> u64 {
        self.place() as u64 + 1
    }

    /// 0, 1 or 2: where this role stands in lists of three.
    pub fn place(self) -> usize {
        match self {
            Role::Primary => 0,
            Role::Secondary => 1,
            Role::Tertiary => 2,
        }
    }

    /// The role with this number; `None` unless it is 1, 2 or 3.
    pub fn from_number(number: u64) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.number() == number)
    }

    /// The other two roles, in order.
    pub fn others(self) -> [Role; 2] {
        match self {
            Role::Primary => [Role::Secondary, Role::Tertiary],
            Role::Secondary => [Role::Primary, Role::Tertiary],
            Role::Tertiary => [Role::Primary, Role::Secondary],
        }
    }

    /// Whether this role may ever be master. The tertiary never is (FLEXnet License Administration Guide,
    /// three-server redundancy).
    pub fn may_serve(self) -> bool {
        self != Role::Tertiary
    }

    /// `primary`, `secondary` or `tertiary`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Primary => "primary",
            Role::Secondary => "secondary",
            Role::Tertiary => "tertiary",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// The text names none of the three roles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: write primary, secondary or tertiary")]
pub struct UnknownRole(pub String);

/// A count with its noun.
///
/// ```
/// assert_eq!([0, 1, 2].map(|count| licensing_core::counted(count, "seat")), ["0 seats", "1 seat", "2 seats"]);
/// ```
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
