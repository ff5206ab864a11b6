//! Format 1 of a state. The same definitions write and read: the sequences are iterators when writing and vectors when
//! reading, texts are borrowed when writing and owned when reading.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::codec::{self, CodecError};
use crate::command::Identity;
use crate::holding::Checkout;
use crate::id::{Handle, LogIndex, PoolId, RequestId, Role, Seats, SessionId, Timestamp, Token};
use crate::license::{License, Version};
use crate::mutant::{Mutant, planted};
use crate::outcome::Answer;
use crate::pools::Pool;
use crate::pools::key::PoolKey;
use crate::pools::layout::Layout;
use crate::pools::terms::PoolTerms;
use crate::session::Session;
use crate::state::{InstalledLicense, State};

pub(super) fn write(state: &State, bytes: &mut Vec<u8>) {
    codec::append_to(
        bytes,
        &StateRecord {
            clock: state.clock,
            last_index: state.last_index,
            preferred: state.preferred,
            maintenance: state.maintenance,
            license: state.license.as_ref().map(|license| LicenseRecord {
                text: Cow::Borrowed(&license.text),
                installed_at: license.installed_at,
            }),
            pools: Each(|| state.catalog.order.iter().map(|id| (*id, state.carried(*id)))),
            retired: state.retired_records(),
            sessions: Each(|| state.sessions.iter().map(|(id, session)| SessionRecord::of(*id, session))),
            checkouts: Each(|| {
                let written = state.checkouts.iter().take(state.written_checkouts());
                written.map(|(id, checkout)| state.record(*id, checkout))
            }),
        },
    );
}

/// The state, or what in it contradicts itself.
pub(super) fn read(content: &[u8]) -> Result<Result<State, String>, CodecError> {
    let record: ReadRecord = codec::from_large_bytes(content, super::STATE)?;
    Ok(record.into_state())
}

impl State {
    fn written_checkouts(&self) -> usize {
        self.checkouts.len().saturating_sub(usize::from(planted(Mutant::SnapshotDropsCheckout)))
    }

    fn carried(&self, id: PoolId) -> u64 {
        self.pools.get(&id).map(|pool| pool.carried).unwrap_or(0)
    }

    fn retired_records(&self) -> Vec<RetiredRecord<'_>> {
        let retired = self.pools.iter().filter(|(_, pool)| pool.terms.is_retired());
        retired.map(|(id, pool)| RetiredRecord::of(*id, pool)).collect()
    }

    fn record<'a>(&'a self, handle: Handle, checkout: &'a Checkout) -> CheckoutRecord<'a> {
        let licensed = self.pools.get(&checkout.pool).map(|pool| &pool.terms.version_text);
        CheckoutRecord {
            handle,
            session: checkout.session,
            pool: checkout.pool,
            seats: checkout.seats,
            since: checkout.since,
            version: (licensed != Some(&checkout.version)).then_some(Cow::Borrowed(&checkout.version)),
        }
    }
}

/// Writes a sequence from an iterator. The iterator must know its exact length.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: ExactSizeIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A state. Sequences are in ascending order of their ids, except `pools`.
#[derive(Serialize, Deserialize)]
struct StateRecord<'a, Pools, Sessions, Checkouts> {
    clock: Timestamp,
    last_index: LogIndex,
    preferred: Option<Role>,
    maintenance: [bool; 3],
    license: Option<LicenseRecord<'a>>,
    /// Id and carried-over seats of each pool of the license, in file order.
    pools: Pools,
    retired: Vec<RetiredRecord<'a>>,
    sessions: Sessions,
    checkouts: Checkouts,
}

type ReadRecord =
    StateRecord<'static, Vec<(PoolId, u64)>, Vec<SessionRecord<'static>>, Vec<CheckoutRecord<'static>>>;

#[derive(Serialize, Deserialize)]
struct LicenseRecord<'a> {
    text: Cow<'a, str>,
    installed_at: LogIndex,
}

/// A pool that the license does not mention.
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
struct SessionRecord<'a> {
    id: SessionId,
    token: Token,
    identity: Cow<'a, Identity>,
    last_active: LogIndex,
    forgotten: RequestId,
    answers: Vec<(RequestId, Cow<'a, Answer>)>,
}

#[derive(Serialize, Deserialize)]
struct CheckoutRecord<'a> {
    handle: Handle,
    session: SessionId,
    pool: PoolId,
    seats: Seats,
    since: Timestamp,
    /// `None` when it is the pool's, as it nearly always is.
    version: Option<Cow<'a, str>>,
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

impl<'a> SessionRecord<'a> {
    fn of(id: SessionId, session: &'a Session) -> SessionRecord<'a> {
        let kept = if planted(Mutant::SnapshotWithoutAnswers) { &[] } else { session.answers.as_slice() };
        let answers = kept.iter().map(|(request, answer)| (*request, Cow::Borrowed(answer.as_ref())));
        SessionRecord {
            id,
            token: session.token,
            identity: Cow::Borrowed(&session.identity),
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
            identity: Arc::new(self.identity.into_owned()),
            last_active: self.last_active,
            forgotten: self.forgotten,
            answers: answers.collect(),
        }
    }
}

impl ReadRecord {
    /// Builds the state with everything that is derived. What it cannot notice, the invariants do.
    fn into_state(self) -> Result<State, String> {
        let mut state = State {
            clock: self.clock,
            last_index: self.last_index,
            preferred: self.preferred,
            maintenance: self.maintenance,
            ..State::new()
        };
        state.read_license(self.license, &self.pools)?;
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
            state.read_checkout(checkout)?;
        }
        Ok(state)
    }
}

impl State {
    fn read_license(
        &mut self,
        record: Option<LicenseRecord<'_>>,
        stored: &[(PoolId, u64)],
    ) -> Result<(), String> {
        let Some(record) = record else {
            return if stored.is_empty() { Ok(()) } else { Err("pools without a license".to_owned()) };
        };
        let parsed = License::parse(&record.text)
            .map_err(|errors| format!("the installed license cannot be read any more: {errors}"))?;
        let layout = Layout::of(&parsed);
        if layout.len() != stored.len() {
            return Err(format!("{} pools stored, the license makes {}", stored.len(), layout.len()));
        }
        let (pools, catalog) = layout.with_ids(stored);
        self.pools = pools;
        self.catalog = Arc::new(catalog);
        self.license = Some(Arc::new(InstalledLicense {
            text: record.text.as_ref().into(),
            parsed: Arc::new(parsed),
            installed_at: record.installed_at,
        }));
        Ok(())
    }

    fn read_checkout(&mut self, record: CheckoutRecord<'_>) -> Result<(), String> {
        let pool = self.pools.get(&record.pool);
        let pool = pool.ok_or_else(|| format!("no pool {} for checkout {}", record.pool, record.handle))?;
        let version = match record.version {
            Some(text) => text.as_ref().into(),
            None => pool.terms.version_text.clone(),
        };
        let CheckoutRecord { handle, session, pool, seats, since, .. } = record;
        self.take(handle, Checkout { session, pool, seats, version, since });
        Ok(())
    }
}

/// An id may only follow a smaller one: otherwise the bytes were not canonical, or an entry stood there twice.
fn ascending<Id: Ord + fmt::Display>(last: Option<Id>, next: Id) -> Result<(), String> {
    match last {
        Some(last) if last >= next => Err(format!("{next} stands after {last}")),
        _ => Ok(()),
    }
}
