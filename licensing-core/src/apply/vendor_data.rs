//! Setting vendor data.

use crate::apply::applying::Applying;
use crate::digest::Digest;
use crate::edition::Edition;
use crate::event::EventKind;
use crate::id::{Handle, LogIndex, SessionId};
use crate::outcome::{Denial, Outcome};
use crate::state::State;
use crate::vendor_data::{check_key, check_length};

impl State {
    /// What the asking session has from now on, or one of its checkouts.
    pub(crate) fn set_vendor_data(
        &mut self,
        session: SessionId,
        handle: Option<Handle>,
        bytes: &[u8],
        applying: &mut Applying,
    ) -> Result<Outcome, Denial> {
        check_length(bytes)?;
        match handle {
            None => {
                let before = self.vendor_data.sessions.get(&session);
                self.vendor_data.has_room(bytes, before.map_or(0, |before| before.len()))?;
                self.vendor_data.set_session(session, bytes);
            }
            Some(handle) => {
                let checkout = self.checkouts.get(&handle).ok_or(Denial::UnknownHandle { handle })?;
                if checkout.keeper.session() != Some(session) {
                    return Err(Denial::NotTheHolder { handle });
                }
                let before = self.vendor_data.checkouts.get(&handle);
                self.vendor_data.has_room(bytes, before.map_or(0, |before| before.len()))?;
                self.vendor_data.set_checkout(handle, bytes);
            }
        }
        let data = bytes.to_vec();
        applying.record(EventKind::VendorDataSet { session, handle, data });
        Ok(Outcome::VendorDataSet { set_at: (!bytes.is_empty()).then_some(applying.index) })
    }

    /// Sets a key of the triad's map, unless it is not as the asker believes. Setting what is there already changes nothing.
    pub(crate) fn set_triad_data(
        &mut self,
        key: &str,
        value: Option<&[u8]>,
        believed: Option<LogIndex>,
        applying: &mut Applying,
    ) -> Result<Outcome, Denial> {
        self.check_edition(Edition::VENDOR_DATA)?;
        check_key(key)?;
        let known = self.vendor_data.triad.get(key);
        let set_at = known.map(|data| data.set_at);
        if believed.is_some_and(|believed| believed != set_at.unwrap_or(LogIndex(0))) {
            return Err(Denial::VendorDataChanged { key: key.to_owned(), set_at });
        }
        if known.map(|data| data.value.as_ref()) == value {
            return Ok(Outcome::VendorDataSet { set_at });
        }
        self.vendor_data.set_triad(key, value, applying.index)?;
        let set_at = value.is_some().then_some(applying.index);
        let digest = value.map(Digest::of);
        applying.record(EventKind::TriadDataSet { key: key.to_owned(), digest });
        Ok(Outcome::VendorDataSet { set_at })
    }
}
