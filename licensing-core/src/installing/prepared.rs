//! An install that is worked out beforehand. A license of a hundred thousand lines takes longer to lay out than a master may
//! be away; so whoever proposes it works it out meanwhile, from a copy of the state.
//!
//! The property kept: it makes no difference to any answer. What was worked out is used only when the pools it was laid
//! over are still the same, and is otherwise worked out again.

use std::sync::Arc;

use super::aside::Prepared;
use crate::digest::Digest;
use crate::license::Compiled;
use crate::pools::layout::Layout;
use crate::state::State;

impl State {
    /// Works out what installing this license would make of the pools. `digest` is that of its parts. Takes about a
    /// second for a hundred thousand lines. `None` when the license has no vendor, and cannot be installed.
    pub fn prepare(&self, license: Arc<Compiled>, digest: Digest) -> Option<Prepared> {
        let laid = Layout::of(license.license()).over(license.license().vendor_name()?, &self.pools);
        Some(Prepared { digest, over: self.aside.pools, compiled: license, laid })
    }

    /// Whether the license with this digest was prepared, and can be installed without a wait.
    pub fn is_prepared(&self, digest: &Digest) -> bool {
        self.aside.prepared.as_ref().is_some_and(|prepared| prepared.fits(digest, self.aside.pools))
    }

    /// Keeps what was prepared until the install comes, instead of what was kept before.
    pub fn keep(&mut self, prepared: Prepared) {
        self.aside.prepared = Some(Arc::new(prepared));
    }
}
