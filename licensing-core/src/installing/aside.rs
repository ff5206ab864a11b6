//! What a server keeps beside its state, and no two servers need to have in common.

use std::fmt;
use std::sync::Arc;

use crate::digest::Digest;
use crate::license::Compiled;
use crate::pools::layout::Laid;

/// A license in parts, put together and laid over the pools of a state.
pub struct Prepared {
    pub(crate) digest: Digest,
    /// [`Aside::pools`] of the state it was laid over.
    pub(crate) over: u64,
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) laid: Laid,
}

impl Prepared {
    /// Whether it is that license, over the pools there are after so many changes.
    pub(crate) fn fits(&self, digest: &Digest, pools: u64) -> bool {
        self.digest == *digest && self.over == pools
    }
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
    pub(crate) prepared: Option<Arc<Prepared>>,
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
        prepared.fits(digest, self.pools).then(|| (prepared.compiled.clone(), prepared.laid.clone()))
    }
}
