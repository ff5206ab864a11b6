//! Where to find the pools of a feature, and when a license line starts or ends next.

use std::collections::BTreeMap;

use crate::id::{PoolId, Timestamp};

/// Where to find pools: derived from the license, shared by all clones of a state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Catalog {
    /// All pools of the license in file order.
    pub(crate) order: Vec<PoolId>,
    /// The pools of each feature in the order in which they are tried.
    pub(crate) features: BTreeMap<String, Vec<PoolId>>,
    /// Moments at which some line starts or expires, ascending, in ms since the epoch.
    pub(crate) deadlines: Vec<u64>,
}

impl Catalog {
    /// The first moment after `at` at which some line starts or expires.
    pub(crate) fn next_deadline(&self, at: Timestamp) -> Option<Timestamp> {
        let past = self.deadlines.partition_point(|deadline| *deadline <= at.0);
        self.deadlines.get(past).copied().map(Timestamp)
    }
}
