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

use crate::applying::Applying;
use crate::command::{Command, Proposal};
use crate::event::Event;
use crate::holding::Checkout;
use crate::id::{Handle, LogIndex, PoolId, Role, SessionId, Timestamp, Token};
use crate::license::License;
use crate::mutant::{Mutant, planted};
use crate::outcome::{Answer, Denial, Outcome};
use crate::pools::Pool;
use crate::pools::catalog::Catalog;
use crate::session::Session;

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
        State::default()
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
        let answer = self.decide(&proposal.command, &mut applying);
        Applied { answer, events: applying.events }
    }

    fn decide(&mut self, command: &Command, applying: &mut Applying) -> Answer {
        let decision = match command {
            // Answered by the call itself: a repeated one has its first answer, with the index of that.
            Command::Call(call) => return self.call(call, applying),
            Command::Install { license } => self.install(license, applying),
            Command::OpenSession { token, identity } => self.open_session(*token, identity, applying),
            Command::CloseSession { session, token } => self.close_session(*session, *token, applying),
            Command::Expire { sessions, judged_at } => Ok(self.expire(sessions, *judged_at, applying)),
            Command::Tick => Ok(Outcome::Ticked),
        };
        applying.answer(decision)
    }
}
