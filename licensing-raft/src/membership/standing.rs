//! How far a server belongs to its triad.
//!
//! A server may vote only on a memory it still has. So an empty directory is not a member: it becomes one when the
//! triad is founded with it, or when it has caught up with a triad that already exists.

use std::fmt;
use std::io;

use licensing_core::id::Token;
use serde::{Deserialize, Serialize};

/// Name of a triad, drawn at random when it is founded: two triads never share one, whatever their license files say.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TriadId(pub(crate) [u8; 16]);

impl fmt::Display for TriadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TriadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TriadId {
    pub(crate) fn from_hex(text: &str) -> Option<TriadId> {
        Token::from_hex(text).map(|token| TriadId(token.0))
    }
}

/// How far a server belongs to its triad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// Empty, and it has met no triad: mute.
    Unborn,
    /// It is about to found the triad and may already have told the others.
    Founding { triad_id: TriadId },
    /// Empty or robbed of its memory, beside a triad that exists: mute until it has caught up.
    Joining { triad_id: Option<TriadId> },
    /// A full member: votes.
    Member { triad_id: TriadId },
}

impl Standing {
    pub(crate) fn triad_id(&self) -> Option<TriadId> {
        match self {
            Standing::Unborn => None,
            Standing::Joining { triad_id } => *triad_id,
            Standing::Founding { triad_id } | Standing::Member { triad_id } => Some(*triad_id),
        }
    }

    /// The triad that this server cannot leave, which it names when it says hello. A server without an entry has nothing that
    /// binds it: what it was told by a founder that lost its disk before the first decision must not keep it apart from
    /// the triad that the same founder begins next. One that lost what it had is bound.
    pub(crate) fn bound_to(&self, has_history: bool) -> Option<TriadId> {
        match self {
            Standing::Joining { triad_id } => *triad_id,
            other => other.triad_id().filter(|_| has_history),
        }
    }

    pub(crate) fn may_vote(&self) -> bool {
        matches!(self, Standing::Member { .. })
    }

    pub(crate) fn word(&self) -> &'static str {
        match self {
            Standing::Unborn => "unborn",
            Standing::Founding { .. } => "founding",
            Standing::Joining { .. } => "joining",
            Standing::Member { .. } => "member",
        }
    }

    pub(crate) fn from_words(word: &str, triad_id: Option<TriadId>) -> Option<Standing> {
        Some(match (word, triad_id) {
            ("unborn", None) => Standing::Unborn,
            ("founding", Some(triad_id)) => Standing::Founding { triad_id },
            ("joining", triad_id) => Standing::Joining { triad_id },
            ("member", Some(triad_id)) => Standing::Member { triad_id },
            _ => return None,
        })
    }
}

/// Where a standing is kept.
pub(crate) trait StandingKeeper: Send + Sync {
    fn read(&self) -> Standing;
    /// Durable on return.
    fn write(&self, standing: &Standing) -> io::Result<()>;
    /// Lets another server process have the directory.
    fn release(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_bound_by_what_it_has_or_lost_and_not_by_a_promise() {
        let id = TriadId([7; 16]);
        for (standing, without, with) in [
            (Standing::Unborn, None, None),
            (Standing::Founding { triad_id: id }, None, Some(id)),
            (Standing::Member { triad_id: id }, None, Some(id)),
            (Standing::Joining { triad_id: Some(id) }, Some(id), Some(id)),
            (Standing::Joining { triad_id: None }, None, None),
        ] {
            assert_eq!(standing.bound_to(false), without, "{standing:?} without an entry");
            assert_eq!(standing.bound_to(true), with, "{standing:?} with entries");
        }
    }
}
