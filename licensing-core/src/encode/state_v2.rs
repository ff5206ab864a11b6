//! Format 2 of a state: licenses by vendor and as data, holders apart from sessions, the edition of the rules.
//!
//! The same definitions write and read: the sequences are iterators when writing and vectors when reading, texts are
//! borrowed when writing and owned when reading. Any change here is a new format.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::STATE;
use super::sequence::{Each, ascending};
use crate::codec::{self, CodecError};
use crate::command::Holder;
use crate::digest::Digest;
use crate::edition::Edition;
use crate::holding::{Checkout, Keeper};
use crate::id::{Handle, LogIndex, PoolId, RequestId, Role, Seats, SessionId, Timestamp, Token};
use crate::installing::staging::Staging;
use crate::license::{Compiled, Version};
use crate::mutant::{Mutant, planted};
use crate::outcome::Answer;
use crate::pools::Pool;
use crate::pools::key::PoolKey;
use crate::pools::layout::Layout;
use crate::pools::terms::PoolTerms;
use crate::session::Session;
use crate::state::State;
use crate::vendor::{InstalledLicense, Vendor};

pub(super) const FORMAT: u8 = 2;

pub(super) fn write(state: &State, bytes: &mut Vec<u8>) {
    bytes.push(FORMAT);
    write_content(state, bytes);
}

/// All behind the format's number.
pub(super) fn write_content(state: &State, bytes: &mut Vec<u8>) {
    let written = state.checkouts.len().saturating_sub(usize::from(planted(Mutant::SnapshotDropsCheckout)));
    codec::append_to(
        bytes,
        &StateRecord {
            edition: state.edition,
            edition_held: state.edition_held,
            clock: state.clock,
            last_index: state.last_index,
            preferred: state.preferred,
            maintenance: state.maintenance,
            vendors: state.vendors.values().map(|vendor| VendorRecord::of(vendor, state)).collect(),
            retired: retired(state),
            staging: state.staging.as_deref().map(StagingRecord::of),
            sessions: Each(|| state.sessions.iter().map(|(id, session)| SessionRecord::of(*id, session))),
            checkouts: Each(|| {
                let written = state.checkouts.iter().take(written);
                written.map(|(handle, checkout)| CheckoutRecord::of(*handle, checkout, state))
            }),
        },
    );
}

/// The state, or what in it contradicts itself.
pub(super) fn read(content: &[u8]) -> Result<Result<State, String>, CodecError> {
    let record: ReadRecord = codec::from_large_bytes(content, STATE)?;
    if record.edition >= Edition::VENDOR_DATA {
        return Ok(Err(format!("edition {} is not written in format {FORMAT}", record.edition)));
    }
    Ok(record.into_state())
}

/// A state. Sequences are in ascending order of their ids, vendors of their names.
#[derive(Serialize, Deserialize)]
pub(super) struct StateRecord<'a, Sessions, Checkouts> {
    pub(super) edition: Edition,
    edition_held: bool,
    clock: Timestamp,
    last_index: LogIndex,
    preferred: Option<Role>,
    maintenance: [bool; 3],
    vendors: Vec<VendorRecord<'a>>,
    retired: Vec<RetiredRecord<'a>>,
    staging: Option<StagingRecord>,
    sessions: Sessions,
    checkouts: Checkouts,
}

pub(super) type ReadRecord = StateRecord<'static, Vec<SessionRecord<'static>>, Vec<CheckoutRecord<'static>>>;

/// What is served for a vendor; its name stands in the license.
#[derive(Serialize, Deserialize)]
struct VendorRecord<'a> {
    compiled: Cow<'a, Compiled>,
    installed_at: LogIndex,
    /// Id and carried-over seats of each pool of the license, in file order.
    pools: Vec<(PoolId, u64)>,
}

/// A pool that no license mentions.
#[derive(Serialize, Deserialize)]
struct RetiredRecord<'a> {
    id: PoolId,
    key: Cow<'a, PoolKey>,
    version: Cow<'a, Version>,
    vendor: Cow<'a, str>,
    host_id: Option<Cow<'a, str>>,
    expires: Cow<'a, str>,
    carried: u64,
}

#[derive(Serialize, Deserialize)]
struct StagingRecord {
    digest: Digest,
    parts: Vec<Arc<[u8]>>,
    since: Timestamp,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SessionRecord<'a> {
    id: SessionId,
    token: Token,
    holder: Cow<'a, Holder>,
    last_active: LogIndex,
    forgotten: RequestId,
    answers: Vec<(RequestId, Cow<'a, Answer>)>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct CheckoutRecord<'a> {
    handle: Handle,
    keeper: Keeper,
    /// `None` when it is who speaks in the session that keeps it, as it nearly always is.
    holder: Option<Cow<'a, Holder>>,
    pool: PoolId,
    seats: Seats,
    since: Timestamp,
    /// `None` when it is the pool's, as it nearly always is.
    version: Option<Cow<'a, str>>,
}

impl ReadRecord {
    /// Builds the state with everything that is derived. What it cannot notice, the invariants do.
    pub(super) fn into_state(self) -> Result<State, String> {
        let mut state = State {
            edition: self.edition,
            edition_held: self.edition_held,
            clock: self.clock,
            last_index: self.last_index,
            preferred: self.preferred,
            maintenance: self.maintenance,
            ..State::new()
        };
        for vendor in self.vendors {
            vendor.install(&mut state)?;
        }
        for retired in self.retired {
            let id = retired.id;
            if state.pools.insert(id, retired.into_pool()).is_some() {
                return Err(format!("pool {id} is there twice"));
            }
        }
        state.staging = self.staging.map(StagingRecord::into_staging).transpose()?.map(Arc::new);
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

impl<'a> VendorRecord<'a> {
    fn of(vendor: &'a Vendor, state: &State) -> VendorRecord<'a> {
        let carried = |id: &PoolId| state.pools.get(id).map(|pool| pool.carried).unwrap_or(0);
        VendorRecord {
            compiled: Cow::Borrowed(&vendor.installed.compiled),
            installed_at: vendor.installed.installed_at,
            pools: vendor.catalog.order.iter().map(|id| (*id, carried(id))).collect(),
        }
    }

    fn install(self, state: &mut State) -> Result<(), String> {
        let compiled = self.compiled.into_owned();
        let name: Arc<str> = compiled.license().vendor_name().ok_or("a license without a vendor")?.into();
        ascending(state.vendors.get_max().map(|(last, _)| last.clone()), name.clone())?;
        let layout = Layout::of(compiled.license());
        if layout.len() != self.pools.len() {
            return Err(format!("{} pools stored, the license makes {}", self.pools.len(), layout.len()));
        }
        let (pools, catalog) = layout.with_ids(&self.pools);
        for (id, pool) in pools {
            if state.pools.insert(id, pool).is_some() {
                return Err(format!("pool {id} is there twice"));
            }
        }
        let installed = InstalledLicense { compiled: Arc::new(compiled), installed_at: self.installed_at };
        state.vendors.insert(name, Vendor { installed: Arc::new(installed), catalog: Arc::new(catalog) });
        Ok(())
    }
}

fn retired(state: &State) -> Vec<RetiredRecord<'_>> {
    let retired = state.pools.iter().filter(|(_, pool)| pool.terms.is_retired());
    retired.map(|(id, pool)| RetiredRecord::of(*id, pool)).collect()
}

impl<'a> RetiredRecord<'a> {
    fn of(id: PoolId, pool: &'a Pool) -> RetiredRecord<'a> {
        RetiredRecord {
            id,
            key: Cow::Borrowed(&pool.terms.key),
            version: Cow::Borrowed(&pool.terms.version),
            vendor: Cow::Borrowed(&pool.terms.vendor),
            host_id: pool.terms.host_id.as_deref().map(Cow::Borrowed),
            expires: Cow::Borrowed(&pool.terms.expires),
            carried: pool.carried,
        }
    }

    fn into_pool(self) -> Pool {
        let terms = PoolTerms::retired(
            self.key.into_owned(),
            self.version.into_owned(),
            self.vendor.into_owned(),
            self.host_id.map(Cow::into_owned),
            self.expires.into_owned(),
        );
        Pool { in_use: 0, carried: self.carried, terms: Arc::new(terms) }
    }
}

impl StagingRecord {
    fn of(staging: &Staging) -> StagingRecord {
        StagingRecord {
            digest: staging.digest,
            parts: staging.parts.iter().cloned().collect(),
            since: staging.since,
        }
    }

    fn into_staging(self) -> Result<Staging, String> {
        let mut staging = Staging::new(self.digest);
        for (place, part) in (0..).zip(&self.parts) {
            staging.add(place, part, self.since).map_err(|denial| denial.to_string())?;
        }
        Ok(staging)
    }
}

impl<'a> SessionRecord<'a> {
    fn of(id: SessionId, session: &'a Session) -> SessionRecord<'a> {
        let kept = if planted(Mutant::SnapshotWithoutAnswers) { &[] } else { session.answers.as_slice() };
        let answers = kept.iter().map(|(request, answer)| (*request, Cow::Borrowed(answer.as_ref())));
        SessionRecord {
            id,
            token: session.token,
            holder: Cow::Borrowed(&session.holder),
            last_active: session.last_active,
            forgotten: session.forgotten,
            answers: answers.collect(),
        }
    }

    fn into_session(self) -> Session {
        let answers =
            self.answers.into_iter().map(|(request, answer)| (request, Arc::new(answer.into_owned())));
        Session {
            token: self.token,
            holder: Arc::new(self.holder.into_owned()),
            last_active: self.last_active,
            forgotten: self.forgotten,
            answers: answers.collect(),
        }
    }
}

impl<'a> CheckoutRecord<'a> {
    fn of(handle: Handle, checkout: &'a Checkout, state: &State) -> CheckoutRecord<'a> {
        let licensed = state.pools.get(&checkout.pool).map(|pool| &pool.terms.version_text);
        let session = checkout.keeper.session().and_then(|session| state.sessions.get(&session));
        let speaks = session.is_some_and(|session| session.holder == checkout.holder);
        CheckoutRecord {
            handle,
            keeper: checkout.keeper,
            holder: (!speaks).then_some(Cow::Borrowed(checkout.holder.as_ref())),
            pool: checkout.pool,
            seats: checkout.seats,
            since: checkout.since,
            version: (licensed != Some(&checkout.version)).then_some(Cow::Borrowed(&checkout.version)),
        }
    }

    fn book(self, state: &mut State) -> Result<(), String> {
        let CheckoutRecord { handle, keeper, holder, pool, seats, since, version } = self;
        let known = state.pools.get(&pool).ok_or_else(|| format!("no pool {pool} for checkout {handle}"))?;
        let version = match version {
            Some(text) => text.as_ref().into(),
            None => known.terms.version_text.clone(),
        };
        let session = keeper.session().and_then(|session| state.sessions.get(&session));
        let holder = match (holder, session) {
            (Some(holder), _) => Arc::new(holder.into_owned()),
            (None, Some(session)) => session.holder.clone(),
            (None, None) => return Err(format!("checkout {handle} has no holder")),
        };
        state.take(handle, Checkout { holder, keeper, pool, seats, version, since });
        Ok(())
    }
}
