//! An install that is worked out beforehand. A license of a hundred thousand lines takes longer to lay out than a master may
//! be away; so whoever proposes it works it out meanwhile, from a copy of the state.
//!
//! The property kept: it makes no difference to any answer. What was worked out is used only when the pools it was laid
//! over are still the same, and is otherwise worked out again.

use std::fmt;
use std::sync::Arc;

use crate::digest::Digest;
use crate::license::Compiled;
use crate::pools::layout::{Laid, Layout};
use crate::state::State;

/// A license in parts, put together and laid over the pools of a state.
pub struct Prepared {
    digest: Digest,
    /// [`Aside::pools`] of the state it was laid over.
    over: u64,
    compiled: Arc<Compiled>,
    laid: Laid,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// What a server keeps beside its state, and no two servers need to have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aside {
    /// Counts the changes of which pools there are.
    pub(crate) pools: u64,
    prepared: Option<Arc<Prepared>>,
}

/// Makes no difference between states.
impl PartialEq for Aside {
    fn eq(&self, _: &Aside) -> bool {
        true
    }
}

impl Eq for Aside {}

impl Aside {
    /// Takes what was prepared for the license with this digest, if it still fits.
    pub(crate) fn take(&mut self, digest: &Digest) -> Option<(Arc<Compiled>, Laid)> {
        let prepared = self.prepared.take()?;
        let fits = prepared.digest == *digest && prepared.over == self.pools;
        fits.then(|| (prepared.compiled.clone(), prepared.laid.clone()))
    }
}

impl State {
    /// Works out what installing this license would make of the pools. `digest` is that of its parts. Takes about a
    /// second for a hundred thousand lines. `None` when the license has no vendor, and cannot be installed.
    pub fn prepare(&self, license: Arc<Compiled>, digest: Digest) -> Option<Prepared> {
        let laid = Layout::of(license.license()).over(license.license().vendor_name()?, &self.pools);
        Some(Prepared { digest, over: self.aside.pools, compiled: license, laid })
    }

    /// Keeps what was prepared until the install comes, instead of what was kept before.
    pub fn keep(&mut self, prepared: Prepared) {
        self.aside.prepared = Some(Arc::new(prepared));
    }
}
