//! What an installed license consists of, and how one that is too long for an entry travels.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::license::Compiled;

/// A license to serve. What is installed is data: nothing is parsed when it is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Install {
    /// In the entry itself.
    Whole(Arc<Compiled>),
    /// In parts that came before, each in an entry of its own ([`Command::Stage`](crate::Command::Stage)).
    Staged {
        /// SHA-256 of all parts behind each other.
        digest: Digest,
    },
}

impl From<Compiled> for Install {
    fn from(compiled: Compiled) -> Install {
        Install::Whole(Arc::new(compiled))
    }
}
