//! Vendor data, as those see it who tell all of it.

use std::ops::Bound;

use crate::id::{Handle, LogIndex, SessionId};
use crate::state::State;

impl State {
    /// The vendor data of a session, empty when it has none.
    pub fn vendor_data(&self, session: SessionId) -> &[u8] {
        self.vendor_data.sessions.get(&session).map(AsRef::as_ref).unwrap_or_default()
    }

    /// What the sessions behind this one have, in the order of their names. Those that have nothing are left out.
    pub fn session_data_after(&self, session: SessionId) -> impl Iterator<Item = (SessionId, &[u8])> {
        let later = self.vendor_data.sessions.range((Bound::Excluded(session), Bound::Unbounded));
        later.map(|(session, data)| (*session, data.as_ref()))
    }

    /// What the checkouts behind this one have, in handle order. Those that have nothing are left out.
    pub fn checkout_data_after(&self, handle: Handle) -> impl Iterator<Item = (Handle, &[u8])> {
        let later = self.vendor_data.checkouts.range((Bound::Excluded(handle), Bound::Unbounded));
        later.map(|(handle, data)| (*handle, data.as_ref()))
    }

    /// The triad's own vendor data, by key: each value with the entry that set it.
    pub fn triad_data(&self) -> impl Iterator<Item = (&str, &[u8], LogIndex)> {
        self.vendor_data.triad.iter().map(|(key, data)| (key.as_ref(), data.value.as_ref(), data.set_at))
    }

    /// One key of the triad's own vendor data, with the entry that set it; `None` when there is no such key.
    pub fn triad_value(&self, key: &str) -> Option<(&[u8], LogIndex)> {
        self.vendor_data.triad.get(key).map(|data| (data.value.as_ref(), data.set_at))
    }
}
