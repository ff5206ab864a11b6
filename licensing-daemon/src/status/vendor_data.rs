//! The vendor data one server has applied, cut into pages that fit a frame.

use licensing_client::protocol::{DataPlace, TriadValue, VendorDataPage};
use licensing_core::id::{Handle, SessionId};
use licensing_core::state::State;

use crate::config::Limits;

/// Bytes of a name and a length, at most.
const ROW_OVERHEAD: usize = 16;

/// The page that begins there, or the first one.
pub(crate) fn make(state: &State, limits: &Limits, after: Option<DataPlace>) -> VendorDataPage {
    let mut page = VendorDataPage::default();
    if after.is_none() {
        let value = |(key, value, set_at): (&str, &[u8], _)| TriadValue {
            key: key.to_owned(),
            value: value.to_vec(),
            set_at,
        };
        page.triad = state.triad_data().map(value).collect();
    }
    let (mut bytes, mut rows) = (0, 0);
    // One always fits, or nothing would ever be told.
    let mut fits = |data: &[u8]| {
        bytes += ROW_OVERHEAD + data.len();
        rows += 1;
        rows == 1 || (bytes <= limits.page_bytes && rows <= limits.page_rows)
    };
    let (session, handle) = match after {
        None => (Some(SessionId(0)), Handle(0)),
        Some(DataPlace::Session(session)) => (Some(session), Handle(0)),
        Some(DataPlace::Checkout(handle)) => (None, handle),
    };
    let mut last = after.unwrap_or(DataPlace::Session(SessionId(0)));
    for (session, data) in session.into_iter().flat_map(|session| state.session_data_after(session)) {
        if !fits(data) {
            return VendorDataPage { more: Some(last), ..page };
        }
        last = DataPlace::Session(session);
        page.sessions.push((session, data.to_vec()));
    }
    for (handle, data) in state.checkout_data_after(handle) {
        if !fits(data) {
            return VendorDataPage { more: Some(last), ..page };
        }
        last = DataPlace::Checkout(handle);
        page.checkouts.push((handle, data.to_vec()));
    }
    page
}
