//! Who holds which seats.

use std::ops::Bound;

use crate::command::{Holder, Identity};
use crate::holding::{Checkout, Keeper};
use crate::id::{Handle, PoolId, Seats, SessionId, Timestamp};
use crate::state::State;

/// Seats in somebody's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckoutView<'a> {
    /// Its name.
    pub handle: Handle,
    /// What keeps it out.
    pub keeper: Keeper,
    /// Who holds it.
    pub holder: &'a Holder,
    /// Which pool counts it.
    pub pool: PoolId,
    /// Whose feature.
    pub vendor: &'a str,
    /// The feature.
    pub feature: &'a str,
    /// The version of the pool that serves it, as the license writes it.
    pub licensed_version: &'a str,
    /// The version that was asked for.
    pub version: &'a str,
    /// How many seats.
    pub seats: Seats,
    /// State time of the grant.
    pub since: Timestamp,
    /// Its vendor data, empty when it has none.
    pub vendor_data: &'a [u8],
}

impl State {
    /// All checkouts in handle order, which is the order in which they were granted.
    pub fn checkouts(&self) -> impl Iterator<Item = CheckoutView<'_>> {
        self.checkouts_after(Handle(0))
    }

    /// The checkouts with a larger handle, in handle order: the next page of a listing.
    pub fn checkouts_after(&self, handle: Handle) -> impl Iterator<Item = CheckoutView<'_>> {
        let later = self.checkouts.range((Bound::Excluded(handle), Bound::Unbounded));
        later.filter_map(|(handle, checkout)| self.checkout_view(*handle, checkout))
    }

    /// The checkouts of one session, in handle order.
    pub fn checkouts_of(&self, session: SessionId) -> impl Iterator<Item = CheckoutView<'_>> {
        self.handles_of(session).into_iter().filter_map(|handle| self.checkout(handle))
    }

    /// One checkout; `None` when there is none with this handle now.
    pub fn checkout(&self, handle: Handle) -> Option<CheckoutView<'_>> {
        self.checkout_view(handle, self.checkouts.get(&handle)?)
    }

    /// How many checkouts there are.
    pub fn checkout_count(&self) -> usize {
        self.checkouts.len()
    }

    /// What a session holds, in handle order.
    pub(crate) fn handles_of(&self, session: SessionId) -> Vec<Handle> {
        let all = (session, Handle(0))..=(session, Handle(u64::MAX));
        self.held.range(all).map(|(_, handle)| *handle).collect()
    }

    /// Checkouts of a feature by holders of the given identity, in handle order. Walks all checkouts: `lmremove` is rare,
    /// and an index by identity would cost every checkout memory.
    pub(crate) fn held_by(&self, feature: &str, is_holder: impl Fn(&Identity) -> bool) -> Vec<Handle> {
        let theirs = self.checkouts.iter().filter(|(_, checkout)| is_holder(&checkout.holder.identity));
        let of_feature = theirs.filter(|(_, checkout)| {
            self.pools.get(&checkout.pool).is_some_and(|pool| pool.terms.key.feature == feature)
        });
        of_feature.map(|(handle, _)| *handle).collect()
    }

    // Always a view: the checked invariants say that the pool of a checkout exists.
    fn checkout_view<'a>(&'a self, handle: Handle, checkout: &'a Checkout) -> Option<CheckoutView<'a>> {
        let terms = &self.pools.get(&checkout.pool)?.terms;
        Some(CheckoutView {
            handle,
            keeper: checkout.keeper,
            holder: &checkout.holder,
            pool: checkout.pool,
            vendor: &terms.vendor,
            feature: &terms.key.feature,
            licensed_version: &terms.version_text,
            version: &checkout.version,
            seats: checkout.seats,
            since: checkout.since,
            vendor_data: self.vendor_data.checkouts.get(&handle).map(AsRef::as_ref).unwrap_or_default(),
        })
    }
}
