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

use crate::apply::applying::Applying;
use crate::command::{Command, Proposal};
use crate::edition::{Edition, UnknownEdition};
use crate::event::Event;
use crate::holding::Checkout;
use crate::id::{Handle, LogIndex, PoolId, Role, SessionId, Timestamp, Token};
use crate::installing::aside::Aside;
use crate::installing::staging::Staging;
use crate::mutant::{Mutant, planted};
use crate::outcome::{Answer, Denial, Outcome};
use crate::pools::Pool;
use crate::session::Session;
use crate::vendor::Vendor;
use crate::vendor_data::VendorData;

/// Everything the three servers agree on: the licenses, who is connected, who holds which seats.
///
/// Two states are equal when every future proposal gets the same answer from both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The newest edition of the rules that this server knows. No part of what the servers agree on.
    pub(crate) known: Edition,
    pub(crate) edition: Edition,
    /// An operator wants it raised by nobody but them.
    pub(crate) edition_held: bool,
    pub(crate) clock: Timestamp,
    pub(crate) last_index: LogIndex,
    pub(crate) preferred: Option<Role>,
    /// By [`Role::place`].
    pub(crate) maintenance: [bool; 3],
    /// By name.
    pub(crate) vendors: OrdMap<Arc<str>, Vendor>,
    /// Of all vendors.
    pub(crate) pools: OrdMap<PoolId, Pool>,
    pub(crate) checkouts: OrdMap<Handle, Checkout>,
    pub(crate) sessions: OrdMap<SessionId, Arc<Session>>,
    pub(crate) vendor_data: VendorData,
    pub(crate) staging: Option<Arc<Staging>>,
    pub(crate) aside: Aside,
    /// Derived from `checkouts`: what each session keeps.
    pub(crate) held: OrdSet<(SessionId, Handle)>,
    /// Derived from `sessions`: a resent `OpenSession` finds its session by the token.
    pub(crate) tokens: OrdMap<Token, SessionId>,
}

/// The same as [`State::new`].
impl Default for State {
    fn default() -> State {
        State::new()
    }
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

impl State {
    /// The state before the first log entry: no license, nobody connected, clock at 0.
    pub fn new() -> State {
        State {
            known: Edition::NEWEST,
            edition: Edition::FIRST,
            edition_held: false,
            clock: Timestamp(0),
            last_index: LogIndex(0),
            preferred: None,
            maintenance: [false; 3],
            vendors: OrdMap::new(),
            pools: OrdMap::new(),
            checkouts: OrdMap::new(),
            sessions: OrdMap::new(),
            vendor_data: VendorData::default(),
            staging: None,
            aside: Aside::default(),
            held: OrdSet::new(),
            tokens: OrdMap::new(),
        }
    }

    /// The same state on a server that knows the rules only up to an edition: one of an older version, for tests of
    /// upgrades.
    #[must_use]
    pub fn known_up_to(self, known: Edition) -> State {
        State { known, ..self }
    }

    /// Whether the rules of this edition are awake.
    pub(crate) fn has_edition(&self, edition: Edition) -> bool {
        self.edition >= edition
    }

    /// Whether this server knows the rules by which the entry must be applied, and those of the state it is applied to.
    ///
    /// # Errors
    ///
    /// It does not, and must stop before it applies the entry.
    pub fn can_apply(&self, proposal: &Proposal) -> Result<(), UnknownEdition> {
        match proposal.command {
            Command::RaiseEdition { to } if to > self.known => {
                Err(UnknownEdition { needed: to, known: self.known })
            }
            _ => self.can_serve(),
        }
    }

    /// Whether this server knows the rules of this state.
    ///
    /// # Errors
    ///
    /// It does not, and must not begin with it.
    pub fn can_serve(&self) -> Result<(), UnknownEdition> {
        let (needed, known) = (self.edition, self.known);
        if needed > known { Err(UnknownEdition { needed, known }) } else { Ok(()) }
    }

    /// The same as [`apply`].
    pub fn apply(&mut self, index: LogIndex, proposal: &Proposal) -> Applied {
        let fresh = index > self.last_index;
        if fresh {
            self.last_index = index;
            self.clock = self.clock.max(proposal.at);
        }
        let mut applying = Applying { index, at: self.clock, events: Vec::new() };
        if !fresh && !planted(Mutant::StateAheadOfIndex) {
            let what = format!("log entry {index} was applied before, the state is at {}", self.last_index);
            let answer = applying.answer(Err(Denial::InvalidParameter { what }));
            return Applied { answer, events: applying.events };
        }
        self.settle();
        let answer = self.decide(&proposal.command, &mut applying);
        Applied { answer, events: applying.events }
    }

    fn decide(&mut self, command: &Command, applying: &mut Applying) -> Answer {
        let decision = match command {
            // Answered by the call itself: a repeated one has its first answer, with the index of that.
            Command::Call(call) => return self.call(call, applying),
            Command::Install(install) => self.install(install, applying),
            Command::Stage { digest, part, bytes } => self.stage(*digest, *part, bytes),
            Command::RaiseEdition { to } => self.raise_edition(*to, applying),
            Command::HoldEdition { on } => Ok(self.hold_edition(*on, applying)),
            Command::SetTriadData { key, value, believed } => {
                self.set_triad_data(key, value.as_deref(), *believed, applying)
            }
            Command::OpenSession { token, identity, address } => {
                self.open_session(*token, identity, *address, applying)
            }
            Command::CloseSession { session, token } => self.close_session(*session, *token, applying),
            Command::Expire { sessions, judged_at } => Ok(self.expire(sessions, *judged_at, applying)),
            Command::Tick => Ok(Outcome::Ticked),
        };
        applying.answer(decision)
    }
}
