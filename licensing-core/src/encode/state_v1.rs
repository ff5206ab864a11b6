//! Format 1 of a state: read, no longer written, and never changed.
//!
//! It has the text of one license and not yet what the text says: reading is the one place where an old text is parsed.

use std::sync::Arc;

use serde::Deserialize;

use super::names::STATE;
use super::proposal_v1::{IdentityRecord, UNNAMED};
use super::sequence::ascending;
use crate::codec::{self, CodecError};
use crate::command::Holder;
use crate::holding::{Checkout, Keeper};
use crate::id::{Handle, LogIndex, PoolId, RequestId, Role, Seats, SessionId, Timestamp, Token};
use crate::license::{Compiled, Version};
use crate::outcome::Answer;
use crate::pools::Pool;
use crate::pools::key::PoolKey;
use crate::pools::layout::Layout;
use crate::pools::terms::PoolTerms;
use crate::session::Session;
use crate::state::State;
use crate::vendor::{InstalledLicense, Vendor};

/// The state, or what in it contradicts itself.
pub(super) fn read(content: &[u8]) -> Result<Result<State, String>, CodecError> {
    let record: StateRecord = codec::from_large_bytes(content, STATE)?;
    Ok(record.into_state())
}

/// A state. Sequences are in ascending order of their ids, except `pools`.
#[derive(Deserialize)]
struct StateRecord {
    clock: Timestamp,
    last_index: LogIndex,
    preferred: Option<Role>,
    maintenance: [bool; 3],
    license: Option<LicenseRecord>,
    /// Id and carried-over seats of each pool of the license, in file order.
    pools: Vec<(PoolId, u64)>,
    retired: Vec<RetiredRecord>,
    sessions: Vec<SessionRecord>,
    checkouts: Vec<CheckoutRecord>,
}

#[derive(Deserialize)]
struct LicenseRecord {
    text: String,
    installed_at: LogIndex,
}

/// A pool that the license does not mention.
#[derive(Deserialize)]
struct RetiredRecord {
    id: PoolId,
    key: PoolKey,
    version: Version,
    vendor: String,
    host_id: Option<String>,
    expires: String,
    carried: u64,
}

#[derive(Deserialize)]
struct SessionRecord {
    id: SessionId,
    token: Token,
    identity: IdentityRecord,
    last_active: LogIndex,
    forgotten: RequestId,
    answers: Vec<(RequestId, Answer)>,
}

#[derive(Deserialize)]
struct CheckoutRecord {
    handle: Handle,
    session: SessionId,
    pool: PoolId,
    seats: Seats,
    since: Timestamp,
    /// `None` when it is the pool's.
    version: Option<String>,
}

impl StateRecord {
    /// Builds the state with everything that is derived. What it cannot notice, the invariants do.
    fn into_state(self) -> Result<State, String> {
        let mut state = State {
            clock: self.clock,
            last_index: self.last_index,
            preferred: self.preferred,
            maintenance: self.maintenance,
            ..State::new()
        };
        match self.license {
            Some(license) => license.install(&self.pools, &mut state)?,
            None if self.pools.is_empty() => {}
            None => return Err("pools without a license".to_owned()),
        }
        for retired in self.retired {
            let id = retired.id;
            if state.pools.insert(id, retired.into_pool()).is_some() {
                return Err(format!("pool {id} is there twice"));
            }
        }
        for session in self.sessions {
            let (id, token) = (session.id, session.token);
            ascending(state.sessions.get_max().map(|(last, _)| *last), id)?;
            state.sessions.insert(id, Arc::new(session.into_session()));
            state.tokens.insert(token, id);
        }
        for checkout in self.checkouts {
            ascending(state.checkouts.get_max().map(|(last, _)| *last), checkout.handle)?;
            checkout.book(&mut state)?;
        }
        Ok(state)
    }
}

impl LicenseRecord {
    fn install(self, stored: &[(PoolId, u64)], state: &mut State) -> Result<(), String> {
        let compiled = Compiled::from_text(UNNAMED, &self.text)
            .map_err(|errors| format!("the installed license cannot be read any more: {errors}"))?;
        let layout = Layout::of(compiled.license());
        if layout.len() != stored.len() {
            return Err(format!("{} pools stored, the license makes {}", stored.len(), layout.len()));
        }
        let (pools, catalog) = layout.with_ids(stored);
        let name: Arc<str> = compiled.license().vendor_name().unwrap_or_default().into();
        let installed = InstalledLicense { compiled: Arc::new(compiled), installed_at: self.installed_at };
        state.pools = pools;
        state.vendors.insert(name, Vendor { installed: Arc::new(installed), catalog: Arc::new(catalog) });
        Ok(())
    }
}

impl RetiredRecord {
    fn into_pool(self) -> Pool {
        let terms = PoolTerms::retired(self.key, self.version, self.vendor, self.host_id, self.expires);
        Pool { in_use: 0, carried: self.carried, terms: Arc::new(terms) }
    }
}

impl SessionRecord {
    fn into_session(self) -> Session {
        let holder = Holder { identity: self.identity.into_identity(), address: None };
        Session {
            token: self.token,
            holder: Arc::new(holder),
            last_active: self.last_active,
            forgotten: self.forgotten,
            answers: self.answers.into_iter().map(|(request, answer)| (request, Arc::new(answer))).collect(),
        }
    }
}

impl CheckoutRecord {
    fn book(self, state: &mut State) -> Result<(), String> {
        let CheckoutRecord { handle, session, pool, seats, since, version } = self;
        let known = state.pools.get(&pool).ok_or_else(|| format!("no pool {pool} for checkout {handle}"))?;
        let version = version.map_or_else(|| known.terms.version_text.clone(), |text| text.into());
        let holder = state.sessions.get(&session).map(|session| session.holder.clone());
        let holder = holder.ok_or_else(|| format!("no session {session} for checkout {handle}"))?;
        let keeper = Keeper::Session(session);
        state.take(handle, Checkout { holder, keeper, pool, seats, version, since });
        Ok(())
    }
}
