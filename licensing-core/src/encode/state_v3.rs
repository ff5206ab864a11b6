//! Format 3 of a state: what format 2 says, and vendor data behind it. Written once the edition that brings vendor data
//! applies, so that until then a server can be given its version before.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::STATE;
use super::sequence::{Each, ascending};
use super::state_v2::{self, ReadRecord};
use crate::codec::{self, CodecError};
use crate::edition::Edition;
use crate::id::{Handle, LogIndex, SessionId};
use crate::mutant::{Mutant, planted};
use crate::state::State;

pub(super) const FORMAT: u8 = 3;

pub(super) fn write(state: &State, bytes: &mut Vec<u8>) {
    bytes.push(FORMAT);
    state_v2::write_content(state, bytes);
    let data = &state.vendor_data;
    let newest = state.checkouts.get_max().map(|(handle, _)| *handle);
    let drops = planted(Mutant::SnapshotDropsCheckout)
        && data.checkouts.get_max().map(|(handle, _)| *handle) == newest;
    let kept = data.checkouts.len().saturating_sub(usize::from(drops));
    codec::append_to(
        bytes,
        &VendorDataRecord {
            sessions: Each(|| data.sessions.iter().map(|(id, bytes)| (*id, bytes))),
            checkouts: Each(|| data.checkouts.iter().take(kept).map(|(handle, bytes)| (*handle, bytes))),
            triad: Each(|| data.triad.iter().map(|(key, data)| (key, &data.value, data.set_at))),
        },
    );
}

/// The state, or what in it contradicts itself.
pub(super) fn read(content: &[u8]) -> Result<Result<State, String>, CodecError> {
    let (record, data): (ReadRecord, ReadVendorData) = codec::from_large_bytes(content, STATE)?;
    if record.edition < Edition::VENDOR_DATA {
        return Ok(Err(format!("edition {} is not written in format {FORMAT}", record.edition)));
    }
    Ok(record.into_state().and_then(|state| data.into_state(state)))
}

/// Vendor data, each sequence in ascending order.
#[derive(Serialize, Deserialize)]
struct VendorDataRecord<Sessions, Checkouts, Triad> {
    sessions: Sessions,
    checkouts: Checkouts,
    triad: Triad,
}

type ReadVendorData = VendorDataRecord<
    Vec<(SessionId, Arc<[u8]>)>,
    Vec<(Handle, Arc<[u8]>)>,
    Vec<(Arc<str>, Arc<[u8]>, LogIndex)>,
>;

impl ReadVendorData {
    fn into_state(self, mut state: State) -> Result<State, String> {
        let data = &mut state.vendor_data;
        for (session, bytes) in self.sessions {
            ascending(data.sessions.get_max().map(|(last, _)| *last), session)?;
            data.set_session(session, &bytes);
        }
        for (handle, bytes) in self.checkouts {
            ascending(data.checkouts.get_max().map(|(last, _)| *last), handle)?;
            data.set_checkout(handle, &bytes);
        }
        for (key, value, set_at) in self.triad {
            ascending(data.triad.get_max().map(|(last, _)| last.clone()), key.clone())?;
            data.set_triad(&key, Some(&value), set_at).map_err(|denial| denial.to_string())?;
        }
        Ok(state)
    }
}
