//! What this server remembers of peers that returned with less than they had acknowledged.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use licensing_core::id::Role;

use crate::time::Instant;

/// Boots of peers that are remembered as readmitted.
const READMITTED: usize = 8;

/// Which peers returned with less than they had acknowledged, as a leader knows them by their boots.
#[derive(Default)]
pub(crate) struct Returned(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The last boot of each that returned, and since when this server has known.
    returned: BTreeMap<Role, ([u8; 16], Instant)>,
    readmitted: Vec<[u8; 16]>,
}

impl Returned {
    /// The boots that were readmitted.
    pub(crate) fn boots(&self) -> Vec<[u8; 16]> {
        self.lock().readmitted.clone()
    }

    /// Since when this server has known that a peer of this boot returned with less.
    pub(super) fn known_since(&self, role: Role, boot: [u8; 16]) -> Instant {
        let mut known = self.lock();
        let (returned, since) = known.returned.entry(role).or_insert((boot, Instant::now()));
        if *returned != boot {
            (*returned, *since) = (boot, Instant::now());
        }
        *since
    }

    pub(super) fn note(&self, boot: [u8; 16]) {
        let mut known = self.lock();
        if known.readmitted.len() == READMITTED {
            known.readmitted.remove(0);
        }
        known.readmitted.push(boot);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
