//! One client's session, as a state machine without I/O and without a clock: what to send, what an answer means,
//! what to resend on the next connection. The driver hands it the time, connections and replies, and moves its
//! messages.
//!
//! The properties it keeps:
//! * A request gets its number when it is first sent, and keeps it until a definite answer comes, however many
//!   connections that takes. So a request without a number was certainly not done.
//! * `acknowledged` never covers a request without a definite answer.
//! * A caller is told "no" or "yes" only by an answer. A request whose answer does not come is reported as
//!   [`RequestError::Unknown`], resent all the same, and when it turns out to have granted seats that nobody waits for
//!   any more, they are given back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use licensing_core::command::{Action, Identity};
use licensing_core::edition::Edition;
use licensing_core::id::{Handle, RequestId, SessionId, Token};
use licensing_core::outcome::{Answer, Denial};

use crate::error::RequestError;
use crate::protocol::{MAX_UNANSWERED, Pages, ServerStatus, StatusFilter, StatusPage, Whereabouts};
use crate::words;

mod exchange;
mod parts;
mod receive;
mod send;

use exchange::Exchange;
use parts::{Asked, End, Phase, Purpose, Query, Return, Sending, Waiting};

/// Most requests that wait for a number because [`MAX_UNANSWERED`] are under way or no master is in reach. At the
/// rate of a healthy triad these are served within a second; more would only wait to time out.
pub const MAX_WAITING: usize = 1024;

/// Longest action, in bytes as encoded: texts are limited to 256 bytes each, so an honest one stays below 2 KiB, and
/// [`MAX_UNANSWERED`] of them fit into one frame.
pub const MAX_ACTION_BYTES: usize = 8 * 1024;

/// How long closing a session may take before the server is left to end it by itself.
pub const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// First pause before a request is repeated that the server could not decide: it has waited a lease length already.
const FIRST_RETRY: Duration = Duration::from_millis(10);

/// Longest such pause: an election is over in about this time.
const LONGEST_RETRY: Duration = Duration::from_millis(250);

/// Longest pause a busy server may ask for; more is taken for a mistake.
const LONGEST_BUSY: Duration = Duration::from_secs(5);

/// Whoever waits for an answer.
pub trait Waiter {
    /// Whether nobody waits any more: a request that was not sent yet then never will be.
    fn gave_up(&self) -> bool;
}

/// A good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// To an action; a denial is an answer too.
    Answer(Answer),
    /// To a status query: all pages.
    Status(Box<StatusPage>),
    /// To closing the session.
    Closed,
}

/// What the driver should know or do.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionEvent<W> {
    /// The session exists.
    Opened(SessionId),
    /// There will be no session.
    NotOpened(NotOpened),
    /// For somebody who waits.
    Delivered {
        /// Who.
        waiter: W,
        /// What.
        result: Result<Payload, RequestError>,
    },
    /// The first definite word about the session on this connection: it lives.
    Confirmed,
    /// The server is not master; nothing more should be sent to it.
    NotMaster(Whereabouts),
    /// The servers of the triad, after [`Session::ask_servers`].
    Servers(Vec<ServerStatus>),
    /// The server answers what was not asked; the connection is of no use.
    Nonsense {
        /// What was asked.
        awaited: &'static str,
        /// What came.
        found: &'static str,
    },
    /// The session is gone. Nothing will be sent any more.
    Lost(SessionId),
    /// The session was closed. Nothing will be sent any more.
    Closed,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOpened {
    /// The state said no.
    Denied(Denial),
    /// The server said that asking will not help.
    Refused(String),
}

/// One client's session. All times count from one moment the caller chooses, and never go back.
#[derive(Debug)]
pub struct Session<W> {
    token: Token,
    identity: Identity,
    /// How long a request may go without a definite answer.
    timeout: Duration,
    phase: Phase<W>,
    tries: u32,
    next_request: u64,
    asked: BTreeMap<u64, Asked<W>>,
    /// Seats to give back: at most one for each checkout there ever is.
    returns: VecDeque<Return<W>>,
    waiting: VecDeque<Waiting<W>>,
    next_query: u64,
    queries: BTreeMap<u64, Query<W>>,
    exchange: Option<Exchange<Purpose>>,
    /// The server of the present connection takes requests.
    sending: bool,
    proof: Option<[u8; 32]>,
    heartbeat: Duration,
    heartbeat_wanted: bool,
    servers_wanted: bool,
    confirmed: bool,
    /// Of the server of the present connection.
    known_edition: Edition,
    events: VecDeque<SessionEvent<W>>,
}

impl<W: Waiter> Session<W> {
    /// A session that is to be opened. `timeout`: how long a request may go without a definite answer.
    pub fn new(token: Token, identity: Identity, timeout: Duration) -> Session<W> {
        Session {
            token,
            identity,
            timeout,
            phase: Phase::Opening(Sending::Due(Duration::ZERO)),
            tries: 0,
            next_request: 1,
            asked: BTreeMap::new(),
            returns: VecDeque::new(),
            waiting: VecDeque::new(),
            next_query: 1,
            queries: BTreeMap::new(),
            exchange: None,
            sending: false,
            proof: None,
            heartbeat: Duration::MAX,
            heartbeat_wanted: false,
            servers_wanted: false,
            confirmed: false,
            known_edition: Edition::NEWEST,
            events: VecDeque::new(),
        }
    }

    /// The session's secret.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Whether the session is still to be opened.
    pub fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Opening(_))
    }

    /// Whether nothing will be sent any more.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    /// Every request up to this one has a definite answer.
    pub fn acknowledged(&self) -> RequestId {
        let first_open = self.asked.keys().next().copied().unwrap_or(self.next_request);
        RequestId(first_open - 1)
    }

    /// Numbered requests without a definite answer.
    pub fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// What happened since the last call, oldest first.
    pub fn poll_event(&mut self) -> Option<SessionEvent<W>> {
        self.events.pop_front()
    }

    // ---- What callers want -------------------------------------------------------------------------------------

    /// Asks for an action. The answer, or why there is none, comes as an event.
    pub fn submit(&mut self, now: Duration, action: Action, waiter: W) {
        let bytes = licensing_core::codec::to_bytes(&action).len();
        let refusal = match self.refusal() {
            Some(error) => Some(error),
            None if bytes > MAX_ACTION_BYTES => {
                Some(RequestError::TooLong { bytes, limit: MAX_ACTION_BYTES })
            }
            None if self.waiting.len() >= MAX_WAITING => Some(RequestError::Busy { limit: MAX_WAITING }),
            None => None,
        };
        match refusal {
            Some(error) => self.deliver(waiter, Err(error)),
            None => {
                self.waiting.push_back(Waiting { action, waiter, deadline: now.saturating_add(self.timeout) })
            }
        }
    }

    /// Asks for the state of the triad. The answer comes as an event.
    pub fn query(&mut self, now: Duration, filter: StatusFilter, waiter: W) {
        let refusal = match self.refusal() {
            None if self.queries.len() >= MAX_UNANSWERED => {
                Some(RequestError::Busy { limit: MAX_UNANSWERED })
            }
            other => other,
        };
        if let Some(error) = refusal {
            return self.deliver(waiter, Err(error));
        }
        let deadline = now.saturating_add(self.timeout);
        let query =
            Query { filter, pages: Pages::default(), waiter, deadline, sending: Sending::Due(now), tries: 0 };
        self.queries.insert(self.next_query, query);
        self.next_query += 1;
    }

    /// Gives seats back. Goes before everything that waits, because it frees seats, and is sent even when the waiter
    /// has given up.
    pub fn give_back(&mut self, now: Duration, handle: Handle, waiter: Option<W>) {
        match (self.refusal(), waiter) {
            (Some(error), waiter) => self.deliver_to(waiter, Err(error)),
            (None, waiter) => {
                let deadline = now.saturating_add(self.timeout);
                self.returns.push_back(Return { handle, waiter, deadline });
            }
        }
    }

    /// Ends the session. What waits is not sent any more; what is under way may still be answered.
    pub fn close(&mut self, now: Duration, waiter: Option<W>) {
        match self.phase {
            Phase::Open(session) => {
                let (sending, deadline) = (Sending::Due(now), now + CLOSE_LIMIT);
                self.phase = Phase::Closing { session, sending, deadline, waiter };
                self.tries = 0;
                self.refuse_waiting(&RequestError::Closed);
            }
            Phase::Opening(_) => {
                // Should the server have opened it already, its grace ends it.
                self.finish(End::Closed);
                self.deliver_to(waiter, Ok(Payload::Closed));
                self.events.push_back(SessionEvent::Closed);
            }
            // Somebody closes it already: tell the later caller that it is being done by another.
            Phase::Closing { .. } => self.deliver_to(waiter, Err(RequestError::Closed)),
            Phase::Over(_) => self.deliver_to(waiter, Ok(Payload::Closed)),
        }
    }

    /// Asks the server for the list of the triad's servers, once. The answer, if any, comes as an event.
    pub fn ask_servers(&mut self) {
        self.servers_wanted = true;
    }

    // ---- What the driver reports -------------------------------------------------------------------------------

    /// A connection to a master. With a proof of the admin key, nothing else is sent before its answer, so that no
    /// administrative request overtakes it.
    pub fn connected(&mut self, now: Duration, heartbeat: Duration, proof: Option<[u8; 32]>) {
        self.disconnected(now);
        self.exchange = Some(Exchange::new(now));
        self.sending = true;
        self.proof = proof;
        self.heartbeat = heartbeat;
        // Shows at once whether the session survived.
        self.heartbeat_wanted = true;
        self.confirmed = false;
        self.known_edition = Edition::NEWEST;
    }

    /// The server of the present connection knows no newer rules: what they bring is not asked of it.
    pub fn server_knows(&mut self, edition: Edition) {
        self.known_edition = edition;
    }

    /// The connection is gone: what was under way on it is in doubt, and due again.
    pub fn disconnected(&mut self, now: Duration) {
        self.sending = false;
        let lost: Vec<Purpose> =
            self.exchange.take().into_iter().flat_map(Exchange::into_unanswered).collect();
        for purpose in lost {
            if let Purpose::Call(number) = purpose
                && let Some(asked) = self.asked.get_mut(&number)
            {
                asked.in_doubt = true;
            }
            self.repeat(purpose, now);
        }
    }

    /// The server of the present connection is not master: nothing more is sent, answers are still taken.
    pub fn suspend(&mut self) {
        self.sending = false;
    }

    /// The server of the present connection is master after all.
    pub fn resume(&mut self) {
        self.sending = self.exchange.is_some();
    }

    /// The server gave a sign of life that is no answer.
    pub fn heard(&mut self, now: Duration) {
        if let Some(exchange) = &mut self.exchange {
            exchange.heard(now);
        }
    }

    /// Since when the server owes an answer and has been silent.
    pub fn silent_since(&self) -> Option<Duration> {
        self.exchange.as_ref().and_then(Exchange::silent_since)
    }

    /// Asks the server for a sign of life.
    pub fn probe(&mut self) {
        self.heartbeat_wanted = true;
    }

    /// Lets time do its part: gives up what has waited too long. Afterwards [`Session::next_message`] may have more.
    pub fn advance(&mut self, now: Duration) {
        let waited_ms = words::millis(self.timeout);
        let mut late = Vec::new();
        for asked in self.asked.values_mut().filter(|asked| asked.deadline <= now) {
            if let Some(waiter) = asked.waiter.take() {
                let reason = format!("no definite answer came within {waited_ms} ms");
                late.push((waiter, RequestError::Unknown { what: words::action(&asked.action), reason }));
            }
        }
        while self.waiting.front().is_some_and(|waiting| waiting.deadline <= now) {
            let Some(waiting) = self.waiting.pop_front() else { break };
            let what = words::action(&waiting.action);
            late.push((waiting.waiter, RequestError::NotSent { what, waited_ms }));
        }
        for back in self.returns.iter_mut().filter(|back| back.deadline <= now) {
            if let Some(waiter) = back.waiter.take() {
                let reason =
                    format!("no master was in reach for {waited_ms} ms, it is sent when there is one");
                late.push((waiter, RequestError::Unknown { what: words::checkin(back.handle), reason }));
            }
        }
        let overdue = |(number, query): (&u64, &Query<W>)| (query.deadline <= now).then_some(*number);
        let overdue: Vec<u64> = self.queries.iter().filter_map(overdue).collect();
        for query in overdue.iter().filter_map(|number| self.queries.remove(number)) {
            let reason = format!("no answer came within {waited_ms} ms");
            late.push((query.waiter, RequestError::Unknown { what: words::STATUS.to_owned(), reason }));
        }
        late.into_iter().for_each(|(waiter, error)| self.deliver(waiter, Err(error)));
        if let Phase::Closing { deadline, .. } = self.phase
            && deadline <= now
        {
            let reason = format!("no definite answer came within {} ms", words::millis(CLOSE_LIMIT));
            self.end_closing(Err(RequestError::Unknown { what: words::CLOSE.to_owned(), reason }));
        }
    }

    /// When [`Session::advance`] and [`Session::next_message`] should be called again at the latest.
    pub fn next_due(&self, now: Duration) -> Option<Duration> {
        let asked = self.asked.values().filter(|asked| asked.waiter.is_some()).map(|asked| asked.deadline);
        let waiting = self.waiting.front().map(|waiting| waiting.deadline);
        let returns = self.returns.iter().find(|back| back.waiter.is_some()).map(|back| back.deadline);
        let queries = self.queries.values().map(|query| query.deadline);
        let closing = match &self.phase {
            Phase::Closing { deadline, .. } => Some(*deadline),
            _ => None,
        };
        let deadlines = asked.chain(waiting).chain(returns).chain(queries).chain(closing);
        deadlines.chain(self.next_repeat(now)).min()
    }

    /// When something is to be sent again or a heartbeat is due; what is due already has been sent by
    /// [`Session::next_message`] or cannot be sent now.
    fn next_repeat(&self, now: Duration) -> Option<Duration> {
        let exchange = self.exchange.as_ref().filter(|_| self.sending)?;
        let due = |sending: &Sending| match sending {
            Sending::Due(at) if *at > now => Some(*at),
            _ => None,
        };
        let phase = match &self.phase {
            Phase::Opening(sending) | Phase::Closing { sending, .. } => due(sending),
            Phase::Open(_) => exchange.last_sent().checked_add(self.heartbeat).filter(|at| *at > now),
            Phase::Over(_) => None,
        };
        let asked = self.asked.values().filter_map(|asked| due(&asked.sending));
        let queries = self.queries.values().filter_map(|query| due(&query.sending));
        asked.chain(queries).chain(phase).min()
    }
}

#[cfg(test)]
mod tests;
