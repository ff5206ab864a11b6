//! What is true of vendor data.

use super::ensure::ensure;
use crate::state::State;
use crate::vendor_data::{MAX_DATA_BYTES, MAX_DATA_BYTES_IN_ALL, MAX_TRIAD_DATA_BYTES};

pub(super) fn vendor_data_belongs_to_what_is_there(state: &State) -> Result<(), String> {
    let stray = state.vendor_data.sessions.keys().find(|session| !state.sessions.contains_key(*session));
    stray.map_or(Ok(()), |session| Err(format!("session {session} has some and is not there")))?;
    let stray = state.vendor_data.checkouts.keys().find(|handle| !state.checkouts.contains_key(*handle));
    stray.map_or(Ok(()), |handle| Err(format!("checkout {handle} has some and is not there")))
}

pub(super) fn vendor_data_is_counted_and_within_its_limits(state: &State) -> Result<(), String> {
    let data = &state.vendor_data;
    let each = data.sessions.values().chain(data.checkouts.values());
    let odd = each.map(|bytes| bytes.len()).find(|length| *length == 0 || *length > MAX_DATA_BYTES);
    odd.map_or(Ok(()), |length| Err(format!("one has {length} bytes")))?;
    let counted = (data.bytes, data.triad_bytes);
    let (bytes, triad_bytes) = data.recount();
    ensure((bytes, triad_bytes) == counted, || {
        format!("there are {bytes} and {triad_bytes}, counted are {counted:?}")
    })?;
    ensure(bytes <= MAX_DATA_BYTES_IN_ALL && triad_bytes <= MAX_TRIAD_DATA_BYTES, || {
        format!("{bytes} bytes of sessions and checkouts, {triad_bytes} of the triad")
    })
}

pub(super) fn the_triads_data_comes_from_the_log(state: &State) -> Result<(), String> {
    let later = state.vendor_data.triad.iter().find(|(_, data)| data.set_at > state.last_index);
    later.map_or(Ok(()), |(key, data)| Err(format!("{key:?} was set at {}", data.set_at)))
}
