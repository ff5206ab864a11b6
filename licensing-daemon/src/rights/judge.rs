//! The program's own word on who may do what.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// What somebody wants to do that is an administrator's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// What it is, in one word: `reread`, `shutdown`, `remove` …
    pub what: String,
    /// Where the connection comes from.
    pub from: SocketAddr,
    /// Whether the rules of the house allow it.
    pub allowed: bool,
}

/// Decides about rights; `None` leaves it to the rules of the house.
#[derive(Clone)]
pub(crate) struct Judge(pub(crate) Arc<Decide>);

/// The decision, if there is one.
type Decide = dyn Fn(&Asked) -> Option<bool> + Send + Sync;

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}
