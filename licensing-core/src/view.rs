//! Looking at the state: what status commands, metrics and the master's housekeeping read.
//!
//! Views borrow from the state and are made on demand; nothing here changes anything, and nothing here is stored.

use std::ops::Bound;

use crate::command::Identity;
use crate::id::{Handle, LogIndex, PoolId, RequestId, Role, Seats, SessionId, Timestamp, Token};
use crate::outcome::Answer;
use crate::pool::{Pool, narrow};
use crate::state::{Checkout, InstalledLicense, State};

/// One pool, at the state's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolView<'a> {
    /// Its name inside this state.
    pub id: PoolId,
    /// The feature whose seats it counts.
    pub feature: &'a str,
    /// Highest version it serves, as the license writes it.
    pub version: &'a str,
    /// The publisher, as on the feature line.
    pub vendor: &'a str,
    /// Seats of the lines that are valid now; `None` when they are not counted. 0 for a pool that a newer license
    /// does not mention and whose last seats are still out.
    pub licensed: Option<Seats>,
    /// Seats out. May exceed `licensed` after lines expired or a smaller license was installed.
    pub in_use: Seats,
    /// Last day of the line that lasts longest, such as `31-dec-2099`, or `permanent`.
    pub expires: String,
    /// Node lock, as the license writes it.
    pub host_id: Option<String>,
}

/// Seats in somebody's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutView<'a> {
    /// Its name.
    pub handle: Handle,
    /// The session that holds it.
    pub session: SessionId,
    /// Who that session says it is.
    pub identity: &'a Identity,
    /// Which pool counts it.
    pub pool: PoolId,
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
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled {
    /// It was decided, and this is the answer.
    Answered(Answer),
    /// It has not been decided.
    NotSeen,
    /// Its answer was acknowledged and is no longer kept.
    Forgotten,
    /// There is no such session, or the token is not its own.
    NoSession,
}

impl State {
    /// The latest time seen in a proposal: the time on which expiry is judged.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Index of the last entry applied; 0 before the first.
    pub fn last_index(&self) -> LogIndex {
        self.last_index
    }

    /// The license that is served; `None` until the first `Install`.
    pub fn license(&self) -> Option<&InstalledLicense> {
        self.license.as_deref()
    }

    /// All pools in license file order, then those that are gone from the license but still have seats out.
    pub fn pools(&self) -> impl Iterator<Item = PoolView<'_>> {
        let listed = self.catalog.order.iter().filter_map(|id| Some((*id, self.pools.get(id)?)));
        let retired =
            self.pools.iter().filter(|(_, pool)| pool.terms.is_retired()).map(|(id, pool)| (*id, pool));
        listed.chain(retired).map(|(id, pool)| self.pool_view(id, pool))
    }

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

    /// All living sessions, oldest first.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.keys().copied()
    }

    /// How many sessions there are, at most [`MAX_SESSIONS`](crate::session::MAX_SESSIONS).
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Who a session says it is; `None` when it is not living.
    pub fn identity(&self, session: SessionId) -> Option<&Identity> {
        self.sessions.get(&session).map(|session| session.identity.as_ref())
    }

    /// The last entry in which a session showed life; `None` when it is not living.
    pub fn last_active(&self, session: SessionId) -> Option<LogIndex> {
        self.sessions.get(&session).map(|session| session.last_active)
    }

    /// Whether the session lives and the token is its own.
    pub fn session_matches(&self, session: SessionId, token: &Token) -> bool {
        self.sessions.get(&session).is_some_and(|session| session.token == *token)
    }

    /// What became of a request, for clients that lost the answer.
    pub fn recall(&self, session: SessionId, token: &Token, request: RequestId) -> Recalled {
        let Some(session) = self.sessions.get(&session).filter(|session| session.token == *token) else {
            return Recalled::NoSession;
        };
        match session.answer(request) {
            Some(answer) => Recalled::Answered(answer.clone()),
            None if request <= session.forgotten => Recalled::Forgotten,
            None => Recalled::NotSeen,
        }
    }

    /// The operator's choice of a master; `None` leaves it to the rules.
    pub fn preferred_master(&self) -> Option<Role> {
        self.preferred
    }

    /// Whether the operator keeps this server from being master.
    pub fn in_maintenance(&self, role: Role) -> bool {
        self.maintenance.get(role.place()).copied().unwrap_or(false)
    }

    /// The next moment at which a license line starts or expires: the master proposes a `Tick` then, so that the
    /// state's clock reaches it without traffic. `None` when nothing is ahead.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.catalog.next_deadline(self.clock)
    }

    /// What a session holds, in handle order.
    pub(crate) fn handles_of(&self, session: SessionId) -> Vec<Handle> {
        let all = (session, Handle(0))..=(session, Handle(u64::MAX));
        self.held.range(all).map(|(_, handle)| *handle).collect()
    }

    /// Checkouts of a feature by sessions of the given identity, in handle order. Walks all sessions: `lmremove` is
    /// rare, and an index by identity would cost every session memory.
    pub(crate) fn held_by(&self, feature: &str, is_holder: impl Fn(&Identity) -> bool) -> Vec<Handle> {
        let holders = self.sessions.iter().filter(|(_, session)| is_holder(&session.identity));
        let handles = holders.flat_map(|(session, _)| self.handles_of(*session));
        let mut found: Vec<Handle> =
            handles.filter(|handle| self.feature_of(handle) == Some(feature)).collect();
        found.sort();
        found
    }

    fn feature_of(&self, handle: &Handle) -> Option<&str> {
        let pool = self.pools.get(&self.checkouts.get(handle)?.pool)?;
        Some(&pool.terms.key.feature)
    }

    fn pool_view<'a>(&self, id: PoolId, pool: &'a Pool) -> PoolView<'a> {
        let terms = &pool.terms;
        PoolView {
            id,
            feature: &terms.key.feature,
            version: &terms.version_text,
            vendor: &terms.vendor,
            licensed: terms.licensed(self.clock).map(narrow),
            in_use: narrow(pool.in_use),
            expires: terms.expires.clone(),
            host_id: terms.host_id.clone(),
        }
    }

    // Always a view: the checked invariants say that session and pool of a checkout exist.
    fn checkout_view<'a>(&'a self, handle: Handle, checkout: &'a Checkout) -> Option<CheckoutView<'a>> {
        let terms = &self.pools.get(&checkout.pool)?.terms;
        Some(CheckoutView {
            handle,
            session: checkout.session,
            identity: &self.sessions.get(&checkout.session)?.identity,
            pool: checkout.pool,
            feature: &terms.key.feature,
            licensed_version: &terms.version_text,
            version: &checkout.version,
            seats: checkout.seats,
            since: checkout.since,
        })
    }
}
