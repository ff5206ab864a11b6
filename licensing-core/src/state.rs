//! The state and [`apply`], the only door through which seats change.
//!
//! The property kept: `apply` is total and deterministic. Any proposal at any index gives an answer, never an error
//! or a panic, and the same proposals in the same order give the same state, bit for bit, on every server. Time
//! arrives as data in the proposal; the state keeps the latest time seen and never lets it go back. Nothing here
//! reads a clock, touches a disk or draws a random number.
//!
//! All maps are persistent (`imbl`) and all texts shared, so a clone costs the same for ten checkouts and for a
//! million, and a snapshot can be written from one while `apply` goes on.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::command::{Action, Call, Command, Identity, MAX_TEXT_BYTES, Proposal, Removal};
use crate::event::{Event, EventKind, Holding, Return};
use crate::id::{Handle, LogIndex, PoolId, Role, Seats, SessionId, Timestamp, Token};
use crate::license::{License, Version};
use crate::mutant::{Mutant, planted};
use crate::outcome::{Answer, Denial, Outcome};
use crate::pool::{Catalog, Layout, Pool, choose};
use crate::session::{Admission, MAX_SESSIONS, Session};

/// Everything the three servers agree on: the license, who is connected, who holds which seats.
///
/// Two states are equal when every future proposal gets the same answer from both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    pub(crate) clock: Timestamp,
    pub(crate) last_index: LogIndex,
    pub(crate) license: Option<Arc<InstalledLicense>>,
    pub(crate) preferred: Option<Role>,
    /// By [`Role::place`].
    pub(crate) maintenance: [bool; 3],
    pub(crate) pools: OrdMap<PoolId, Pool>,
    pub(crate) checkouts: OrdMap<Handle, Checkout>,
    pub(crate) sessions: OrdMap<SessionId, Arc<Session>>,
    /// Derived from `license`.
    pub(crate) catalog: Arc<Catalog>,
    /// Derived from `checkouts`: what each session holds.
    pub(crate) held: OrdSet<(SessionId, Handle)>,
    /// Derived from `sessions`: a resent `OpenSession` finds its session by the token.
    pub(crate) tokens: OrdMap<Token, SessionId>,
}

/// The license file that is served.
#[derive(Debug, PartialEq, Eq)]
pub struct InstalledLicense {
    /// The whole text, as it was proposed.
    pub text: Arc<str>,
    /// What the text says.
    pub parsed: Arc<License>,
    /// The entry that installed it.
    pub installed_at: LogIndex,
}

/// Seats in the hands of a session. Small, because there may be a million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkout {
    pub(crate) session: SessionId,
    pub(crate) pool: PoolId,
    pub(crate) seats: Seats,
    /// The version asked for; the pool's own text when equal.
    pub(crate) version: Arc<str>,
    pub(crate) since: Timestamp,
}

/// What one proposal led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The decision.
    pub answer: Answer,
    /// What happened, in order. Empty when the decision was an old one repeated.
    pub events: Vec<Event>,
}

/// Applies the log entry at `index` to the state and returns its decision.
///
/// Indices count from 1 and grow; they need not be adjacent, because a log also holds entries that are no
/// proposals. An entry at or below the last one has been applied already: it changes nothing and is denied as
/// [`Denial::InvalidParameter`], so that no name is ever given twice.
///
/// A checkout or checkin costs O(log n) in live checkouts, and a checkout also looks at the license lines of its
/// feature. What ends sessions costs that much for each seat they hold.
pub fn apply(state: &mut State, index: LogIndex, proposal: &Proposal) -> Applied {
    state.apply(index, proposal)
}

/// What is known of the entry being applied, and what it has caused so far.
struct Journal {
    index: LogIndex,
    at: Timestamp,
    events: Vec<Event>,
}

impl Journal {
    fn record(&mut self, kind: EventKind) {
        let ordinal = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        self.events.push(Event { index: self.index, ordinal, at: self.at, kind });
    }

    fn answer(&self, decision: Result<Outcome, Denial>) -> Answer {
        Answer { index: self.index, at: self.at, outcome: decision.unwrap_or_else(Outcome::Denied) }
    }
}

impl State {
    /// The state before the first log entry: no license, nobody connected, clock at 0.
    pub fn new() -> State {
        State::default()
    }

    /// The same as [`apply`].
    pub fn apply(&mut self, index: LogIndex, proposal: &Proposal) -> Applied {
        let fresh = index > self.last_index;
        if fresh {
            self.last_index = index;
            self.clock = self.clock.max(proposal.at);
        }
        let mut journal = Journal { index, at: self.clock, events: Vec::new() };
        if !fresh && !planted(Mutant::StateAheadOfIndex) {
            let what = format!("log entry {index} was applied before, the state is at {}", self.last_index);
            let answer = journal.answer(Err(Denial::InvalidParameter { what }));
            return Applied { answer, events: journal.events };
        }
        let answer = match &proposal.command {
            Command::Call(call) => self.call(call, &mut journal),
            other => {
                let decision = self.decide(other, &mut journal);
                journal.answer(decision)
            }
        };
        Applied { answer, events: journal.events }
    }

    fn decide(&mut self, command: &Command, journal: &mut Journal) -> Result<Outcome, Denial> {
        match command {
            Command::Install { license } => self.install(license, journal),
            Command::OpenSession { token, identity } => self.open_session(*token, identity, journal),
            Command::CloseSession { session, token } => self.close_session(*session, *token, journal),
            Command::Expire { sessions, judged_at } => Ok(self.expire(sessions, *judged_at, journal)),
            Command::Call(call) => Ok(self.call(call, journal).outcome),
            Command::Tick => Ok(Outcome::Ticked),
        }
    }

    /// Installs a license. What is out stays out, also when the new license gives fewer seats.
    fn install(&mut self, text: &str, journal: &mut Journal) -> Result<Outcome, Denial> {
        if self.license.as_ref().is_some_and(|installed| *installed.text == *text) {
            return Ok(Outcome::Installed { pools: count(self.catalog.order.len()) });
        }
        let parsed =
            License::parse(text).map_err(|errors| Denial::BadLicense { problems: errors.to_string() })?;
        if let Some(installed) = &self.license {
            let (old, new) = (installed.parsed.triad_identity(), parsed.triad_identity());
            if old != new {
                let problems = format!("it is for other servers ({new}) than the installed license ({old})");
                return Err(Denial::BadLicense { problems });
            }
        }
        let (pools, catalog) = Layout::of(&parsed).replacing(&self.pools);
        let made = count(catalog.order.len());
        self.pools = pools;
        self.catalog = Arc::new(catalog);
        self.license = Some(Arc::new(InstalledLicense {
            text: text.into(),
            parsed: Arc::new(parsed),
            installed_at: journal.index,
        }));
        journal.record(EventKind::LicenseInstalled { pools: made });
        Ok(Outcome::Installed { pools: made })
    }

    fn open_session(
        &mut self,
        token: Token,
        identity: &Identity,
        journal: &mut Journal,
    ) -> Result<Outcome, Denial> {
        if let Some(session) = self.tokens.get(&token).copied() {
            if let Some(known) = self.sessions.get_mut(&session) {
                Arc::make_mut(known).last_active = journal.index;
            }
            return Ok(Outcome::SessionOpened { session });
        }
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(Denial::TooManySessions { limit: count(MAX_SESSIONS) });
        }
        check_text("user name", &identity.user)?;
        check_text("host name", &identity.host)?;
        check_text("display name", &identity.display)?;
        let session = SessionId(journal.index.0);
        self.sessions.insert(session, Arc::new(Session::new(token, identity, journal.index)));
        self.tokens.insert(token, session);
        journal.record(EventKind::SessionOpened(session));
        Ok(Outcome::SessionOpened { session })
    }

    fn close_session(
        &mut self,
        session: SessionId,
        token: Token,
        journal: &mut Journal,
    ) -> Result<Outcome, Denial> {
        self.speaker(session, token)?;
        let returned = self.end_session(session, Return::SessionClosed, journal);
        Ok(Outcome::SessionClosed { returned })
    }

    /// Ends the sessions that have been silent since `judged_at`; the master judged with what it had applied then,
    /// and anything a session did later is a sign of life it had not seen.
    fn expire(&mut self, sessions: &[SessionId], judged_at: LogIndex, journal: &mut Journal) -> Outcome {
        let mut ended = Vec::new();
        for session in sessions {
            if self.sessions.get(session).is_some_and(|known| known.last_active <= judged_at) {
                self.end_session(*session, Return::SessionExpired, journal);
                ended.push(*session);
            }
        }
        Outcome::Expired { sessions: ended }
    }

    /// Decides a numbered request once; a repeated number gets its first answer and causes no events.
    fn call(&mut self, call: &Call, journal: &mut Journal) -> Answer {
        let admission = match self.speaker(call.session, call.token) {
            Ok(session) => {
                session.last_active = journal.index;
                session.admit(call)
            }
            Err(denial) => Admission::Refused(denial),
        };
        match admission {
            Admission::Repeated(answer) => answer,
            Admission::Refused(denial) => journal.answer(Err(denial)),
            Admission::New => {
                let decision = self.act(call.session, &call.action, journal);
                let answer = journal.answer(decision);
                if let Some(session) = self.sessions.get_mut(&call.session) {
                    Arc::make_mut(session).remember(call.request, answer.clone());
                }
                answer
            }
        }
    }

    /// The session, if it exists and the token is its own.
    fn speaker(&mut self, session: SessionId, token: Token) -> Result<&mut Session, Denial> {
        let known = self.sessions.get_mut(&session).ok_or(Denial::UnknownSession { session })?;
        if known.token != token {
            return Err(Denial::WrongToken { session });
        }
        Ok(Arc::make_mut(known))
    }

    fn act(&mut self, session: SessionId, action: &Action, journal: &mut Journal) -> Result<Outcome, Denial> {
        match action {
            Action::Checkout { feature, version, seats } => {
                let decision = self.check_out(session, feature, version, *seats, journal);
                if let Err(denial) = &decision {
                    self.record_denied(session, feature, *seats, denial, journal);
                }
                decision
            }
            Action::Checkin { handle, owner } => self.check_in(session, *handle, *owner, journal),
            Action::Remove(removal) => self.remove(removal, journal),
            Action::Maintain { role, on } => Ok(self.maintain(*role, *on, journal)),
            Action::PreferMaster { role } => self.prefer_master(*role, journal),
        }
    }

    fn check_out(
        &mut self,
        session: SessionId,
        feature: &str,
        version: &str,
        seats: Seats,
        journal: &mut Journal,
    ) -> Result<Outcome, Denial> {
        check_text("feature name", feature)?;
        check_text("version", version)?;
        if seats == Seats(0) {
            return Err(Denial::InvalidParameter {
                what: "0 seats asked for: ask for at least 1".to_owned(),
            });
        }
        let bad_version = |_| Denial::BadVersion { version: version.to_owned() };
        let needed: Version = version.parse().map_err(bad_version)?;
        if self.license.is_none() {
            return Err(Denial::NoLicense);
        }
        let unknown = || Denial::UnknownFeature { feature: feature.to_owned() };
        let ids = self.catalog.features.get(feature).ok_or_else(unknown)?;
        let pools = ids.iter().filter_map(|id| Some((*id, self.pools.get(id)?)));
        let id = choose(pools, feature, &needed, seats, self.clock)?;

        let handle = Handle(journal.index.0);
        let pool = self.pools.get_mut(&id).ok_or_else(unknown)?;
        pool.in_use = pool.in_use.saturating_add(u64::from(seats.0));
        let licensed_text = &pool.terms.version_text;
        let version = if **licensed_text == *version { licensed_text.clone() } else { version.into() };
        let checkout = Checkout { session, pool: id, seats, version, since: journal.at };
        journal.record(EventKind::Out(self.holding(handle, &checkout)));
        self.checkouts.insert(handle, checkout);
        self.held.insert((session, handle));
        Ok(Outcome::Granted { handle, seats })
    }

    fn check_in(
        &mut self,
        session: SessionId,
        handle: Handle,
        owner: Option<Token>,
        journal: &mut Journal,
    ) -> Result<Outcome, Denial> {
        let holder = self.checkouts.get(&handle).ok_or(Denial::UnknownHandle { handle })?.session;
        let speaks_for = |token| self.session_matches(holder, &token);
        if holder != session && !owner.is_some_and(speaks_for) {
            return Err(Denial::NotTheHolder { handle });
        }
        if !(planted(Mutant::CheckinForgotten) && journal.index.0.is_multiple_of(97)) {
            self.give_back(handle, Return::Checkin, journal);
        }
        Ok(Outcome::Returned { handle })
    }

    fn remove(&mut self, removal: &Removal, journal: &mut Journal) -> Result<Outcome, Denial> {
        let (handles, missing) = match removal {
            Removal::Handle(handle) => {
                let found: Vec<Handle> = self.checkouts.get(handle).map(|_| *handle).into_iter().collect();
                (found, format!("no checkout with handle {handle}"))
            }
            Removal::Holder { feature, user, host, display } => {
                check_text("feature name", feature)?;
                check_text("user name", user)?;
                check_text("host name", host)?;
                check_text("display name", display)?;
                let is_holder =
                    |who: &Identity| who.user == *user && who.host == *host && who.display == *display;
                let missing = format!("{user} on {host} at {display} holds no seat of feature `{feature}`");
                (self.held_by(feature, is_holder), missing)
            }
        };
        if handles.is_empty() {
            return Err(Denial::NothingToRemove { what: missing });
        }
        for handle in &handles {
            self.give_back(*handle, Return::Removed, journal);
        }
        Ok(Outcome::Removed { handles })
    }

    fn maintain(&mut self, role: Role, on: bool, journal: &mut Journal) -> Outcome {
        if let Some(mark) = self.maintenance.get_mut(role.place())
            && *mark != on
        {
            *mark = on;
            journal.record(EventKind::Maintenance { role, on });
        }
        Outcome::Maintained { role, on }
    }

    fn prefer_master(&mut self, role: Option<Role>, journal: &mut Journal) -> Result<Outcome, Denial> {
        if role.is_some_and(|role| !role.may_serve()) {
            let what = "the tertiary is never master: prefer the primary or the secondary".to_owned();
            return Err(Denial::InvalidParameter { what });
        }
        if self.preferred != role {
            self.preferred = role;
            journal.record(EventKind::Preference(role));
        }
        Ok(Outcome::Preferred { role })
    }

    /// Removes a session and all it holds; returns the handles.
    fn end_session(&mut self, session: SessionId, why: Return, journal: &mut Journal) -> Vec<Handle> {
        let handles = self.handles_of(session);
        for handle in &handles {
            self.give_back(*handle, why, journal);
        }
        if let Some(ended) = self.sessions.remove(&session) {
            self.tokens.remove(&ended.token);
        }
        journal.record(EventKind::SessionEnded { session, expired: why == Return::SessionExpired });
        handles
    }

    /// Frees the seats of a checkout. A pool that no license line mentions goes with its last seat.
    fn give_back(&mut self, handle: Handle, why: Return, journal: &mut Journal) {
        let Some(checkout) = self.checkouts.remove(&handle) else { return };
        self.held.remove(&(checkout.session, handle));
        journal.record(EventKind::In { holding: self.holding(handle, &checkout), why });
        let Some(pool) = self.pools.get_mut(&checkout.pool) else { return };
        pool.in_use = pool.in_use.saturating_sub(u64::from(checkout.seats.0));
        if pool.in_use == 0 && pool.terms.is_retired() {
            self.pools.remove(&checkout.pool);
        }
    }

    fn holding(&self, handle: Handle, checkout: &Checkout) -> Holding {
        let pool = self.pools.get(&checkout.pool);
        let holder = self.sessions.get(&checkout.session).map(|session| &session.identity);
        Holding {
            handle,
            feature: pool.map(|pool| pool.terms.key.feature.clone()).unwrap_or_default(),
            seats: checkout.seats,
            user: holder.map(|who| who.user.clone()).unwrap_or_default(),
            host: holder.map(|who| who.host.clone()).unwrap_or_default(),
        }
    }

    fn record_denied(
        &self,
        session: SessionId,
        feature: &str,
        seats: Seats,
        denial: &Denial,
        journal: &mut Journal,
    ) {
        let asker = self.sessions.get(&session).map(|session| &session.identity);
        journal.record(EventKind::Denied {
            // What is longer was refused for its length; events are kept, so they do not keep the rest of it.
            feature: shortened(feature).to_owned(),
            seats,
            user: asker.map(|who| who.user.clone()).unwrap_or_default(),
            host: asker.map(|who| who.host.clone()).unwrap_or_default(),
            denial: denial.clone(),
        });
    }
}

fn check_text(name: &str, text: &str) -> Result<(), Denial> {
    if text.len() <= MAX_TEXT_BYTES {
        return Ok(());
    }
    let what = format!("the {name} has {} bytes: at most {MAX_TEXT_BYTES} are accepted", text.len());
    Err(Denial::InvalidParameter { what })
}

/// As many whole characters of the text as fit into [`MAX_TEXT_BYTES`].
fn shortened(text: &str) -> &str {
    let end = (0..=MAX_TEXT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// A number of things in memory, which are far fewer than 2^32.
fn count(things: usize) -> u32 {
    u32::try_from(things).unwrap_or(u32::MAX)
}
