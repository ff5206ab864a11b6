//! The book of seats: the only file that changes a count.
//!
//! The property kept: what a pool counts as in use is exactly the sum of its checkouts, and every index of checkouts
//! names exactly those. `invariants` recounts both.

use crate::apply::applying::Applying;
use crate::event::{EventKind, Holding, Return};
use crate::holding::{Checkout, Keeper};
use crate::id::Handle;
use crate::state::State;

impl State {
    /// Books seats out of the checkout's pool. `false`, and nothing is booked, when there is no such pool.
    pub(crate) fn take(&mut self, handle: Handle, checkout: Checkout) -> bool {
        let Some(pool) = self.pools.get_mut(&checkout.pool) else { return false };
        pool.in_use = pool.in_use.saturating_add(u64::from(checkout.seats.0));
        if let Keeper::Session(session) = checkout.keeper {
            self.held.insert((session, handle));
        }
        self.checkouts.insert(handle, checkout);
        true
    }

    /// Frees the seats of a checkout. A pool that no license line mentions goes with its last seat.
    pub(crate) fn give_back(&mut self, handle: Handle, why: Return, applying: &mut Applying) {
        let Some(checkout) = self.checkouts.remove(&handle) else { return };
        if let Keeper::Session(session) = checkout.keeper {
            self.held.remove(&(session, handle));
        }
        applying.record(EventKind::In { holding: self.holding(handle, &checkout), why });
        self.vendor_data.set_checkout(handle, &[]);
        let Some(pool) = self.pools.get_mut(&checkout.pool) else { return };
        pool.in_use = pool.in_use.saturating_sub(u64::from(checkout.seats.0));
        if pool.in_use == 0 && pool.terms.is_retired() {
            self.pools.remove(&checkout.pool);
            self.aside.pools += 1;
        }
    }

    /// What an event says of it.
    pub(crate) fn holding(&self, handle: Handle, checkout: &Checkout) -> Holding {
        let pool = self.pools.get(&checkout.pool);
        Holding {
            handle,
            vendor: pool.map(|pool| pool.terms.vendor.clone()).unwrap_or_default(),
            feature: pool.map(|pool| pool.terms.key.feature.clone()).unwrap_or_default(),
            seats: checkout.seats,
            user: checkout.holder.identity.user.clone(),
            host: checkout.holder.identity.host.clone(),
            vendor_data: self.vendor_data.checkouts.get(&handle).cloned().unwrap_or_default(),
        }
    }
}
