//! What to send next, and in which order: the proof of the admin key, a heartbeat, what is due again, new requests,
//! status queries.

use std::time::Duration;

use licensing_core::command::Action;
use licensing_core::id::{RequestId, SessionId};
use licensing_core::mutant::{Mutant, planted};

use crate::error::RequestError;
use crate::words;

use super::{Asked, Phase, Purpose, Sending, Session, Waiter};
use crate::protocol::{ClientMessage, MAX_UNANSWERED, Request, StatusFilter};

impl<W: Waiter> Session<W> {
    /// The next message for the present connection; `None` when there is nothing to send now.
    pub fn next_message(&mut self, now: Duration) -> Option<ClientMessage> {
        if !self.sending {
            return None;
        }
        let (purpose, request) = self.next_to_send(now)?;
        let id = self.exchange.as_mut()?.send(now, purpose);
        Some(ClientMessage { id, request })
    }

    fn next_to_send(&mut self, now: Duration) -> Option<(Purpose, Request)> {
        if let Some(proof) = self.proof.take() {
            return Some((Purpose::Authenticate, Request::Authenticate { proof }));
        }
        if self.exchange.as_ref()?.awaits(&Purpose::Authenticate) {
            return None;
        }
        let token = self.token;
        match &mut self.phase {
            Phase::Opening(sending) if sending.is_due(now) => {
                *sending = Sending::InFlight;
                Some((Purpose::Open, Request::OpenSession { token, identity: self.identity.clone() }))
            }
            Phase::Closing { session, sending, .. } if sending.is_due(now) => {
                *sending = Sending::InFlight;
                Some((Purpose::Close, Request::CloseSession { session: *session, token }))
            }
            Phase::Open(session) => {
                let session = *session;
                self.refuse_what_sleeps();
                self.heartbeat_to_send(now, session)
                    .or_else(|| self.call_to_repeat(now, session))
                    .or_else(|| self.new_call(now, session))
                    .or_else(|| self.query_to_send(now))
            }
            Phase::Opening(_) | Phase::Closing { .. } | Phase::Over(_) => None,
        }
    }

    /// What the server could not read, being older, is not sent. Nor was it done anywhere: where it may be done, all servers know
    /// its edition.
    fn refuse_what_sleeps(&mut self) {
        let known = self.known_edition;
        let sleeps = |action: &Action| action.needs() > known;
        while let Some(place) = self.waiting.iter().position(|waiting| sleeps(&waiting.action))
            && let Some(waiting) = self.waiting.remove(place)
        {
            let error = needs_edition(&waiting.action);
            self.deliver(waiting.waiter, Err(error));
        }
        while let Some(number) =
            self.asked.iter().find(|(_, asked)| sleeps(&asked.action)).map(|(number, _)| *number)
        {
            let Some(asked) = self.asked.remove(&number) else { return };
            if let Some(waiter) = asked.waiter {
                self.deliver(waiter, Err(needs_edition(&asked.action)));
            }
        }
    }

    fn heartbeat_to_send(&mut self, now: Duration, session: SessionId) -> Option<(Purpose, Request)> {
        let exchange = self.exchange.as_ref()?;
        let due = exchange.last_sent().checked_add(self.heartbeat).is_some_and(|at| at <= now);
        if !(due || self.heartbeat_wanted) || exchange.awaits(&Purpose::Heartbeat) {
            return None;
        }
        self.heartbeat_wanted = false;
        Some((Purpose::Heartbeat, Request::Heartbeat { session, token: self.token }))
    }

    fn call_to_repeat(&mut self, now: Duration, session: SessionId) -> Option<(Purpose, Request)> {
        let mut number = *self.asked.iter().find(|(_, asked)| asked.sending.is_due(now))?.0;
        if planted(Mutant::RetryRenumbered) {
            let asked = self.asked.remove(&number)?;
            number = self.next_request;
            self.next_request += 1;
            self.asked.insert(number, asked);
        }
        self.call(number, session)
    }

    /// Gives the next number to what waits longest, as far as the server's memory of answers reaches: it keeps those
    /// of [`MAX_UNANSWERED`] requests after the acknowledged one.
    fn new_call(&mut self, now: Duration, session: SessionId) -> Option<(Purpose, Request)> {
        let number = self.next_request;
        if number > self.acknowledged().0 + MAX_UNANSWERED as u64 {
            return None;
        }
        let (action, waiter, deadline) = match self.returns.pop_front() {
            Some(back) => (Action::Checkin { handle: back.handle, owner: None }, back.waiter, back.deadline),
            None => {
                while self.waiting.front().is_some_and(|waiting| waiting.waiter.gave_up()) {
                    self.waiting.pop_front();
                }
                let waiting = self.waiting.pop_front()?;
                (waiting.action, Some(waiting.waiter), waiting.deadline)
            }
        };
        let sending = Sending::Due(now);
        self.asked.insert(number, Asked { action, waiter, deadline, sending, in_doubt: false, tries: 0 });
        self.next_request += 1;
        self.call(number, session)
    }

    fn call(&mut self, number: u64, session: SessionId) -> Option<(Purpose, Request)> {
        let mut acknowledged = self.acknowledged();
        if planted(Mutant::AcknowledgedTooEarly) {
            acknowledged = RequestId(number - 1);
        }
        let asked = self.asked.get_mut(&number)?;
        asked.sending = Sending::InFlight;
        let (token, request, action) = (self.token, RequestId(number), asked.action.clone());
        Some((Purpose::Call(number), Request::Call { session, token, request, acknowledged, action }))
    }

    fn query_to_send(&mut self, now: Duration) -> Option<(Purpose, Request)> {
        if std::mem::take(&mut self.servers_wanted) {
            let filter = StatusFilter { feature: None, without_checkouts: true };
            return Some((Purpose::Servers, Request::Status { filter, after: None }));
        }
        let (number, query) = self.queries.iter_mut().find(|(_, query)| query.sending.is_due(now))?;
        query.sending = Sending::InFlight;
        let request = Request::Status { filter: query.filter.clone(), after: query.pages.after() };
        Some((Purpose::Query(*number), request))
    }
}

/// What is said of an action whose rule sleeps.
pub(super) fn needs_edition(action: &Action) -> RequestError {
    RequestError::NeedsEdition { what: words::action(action), needed: action.needs() }
}
