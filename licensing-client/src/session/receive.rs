//! What an answer means for the session and for whoever waits for it.

use std::time::Duration;

use licensing_core::command::Action;
use licensing_core::outcome::{Answer, Denial, Outcome};
use tracing::debug;

use super::send::needs_edition;
use super::{
    Asked, End, FIRST_RETRY, LONGEST_BUSY, LONGEST_RETRY, NotOpened, Payload, Phase, Purpose, Sending,
    Session, SessionEvent, Waiter,
};
use crate::connection::heartbeat_of;
use crate::error::RequestError;
use crate::protocol::{Progress, Reply, StatusPage, Whereabouts};
use crate::words;

impl<W: Waiter> Session<W> {
    /// A reply on the present connection. One that answers nothing is passed over.
    pub fn receive(&mut self, now: Duration, id: u64, reply: Reply) {
        let Some(purpose) = self.exchange.as_mut().and_then(|exchange| exchange.answered(now, id)) else {
            debug!(id, reply = words::reply(&reply), "a reply to nothing that was asked");
            return;
        };
        match reply {
            Reply::NotMaster(whereabouts) => self.not_master(now, purpose, whereabouts),
            Reply::Unknown(reason) => {
                debug!(?purpose, reason, "the server does not know whether it was done");
                if let Purpose::Call(number) = purpose
                    && let Some(asked) = self.asked.get_mut(&number)
                {
                    asked.in_doubt = true;
                }
                let pause = self.retry_pause(purpose);
                self.repeat(purpose, now + pause);
            }
            Reply::Busy { retry_after_ms } => {
                let pause = Duration::from_millis(retry_after_ms).clamp(FIRST_RETRY, LONGEST_BUSY);
                self.repeat(purpose, now + pause);
            }
            reply => self.definite(purpose, now, reply),
        }
    }

    fn not_master(&mut self, now: Duration, purpose: Purpose, whereabouts: Whereabouts) {
        // A server that is master and says it is not has just changed its mind, one way or the other.
        let at = if whereabouts.is_master() { now + self.retry_pause(purpose) } else { now };
        self.repeat(purpose, at);
        if !whereabouts.is_master() {
            self.events.push_back(SessionEvent::NotMaster(whereabouts));
        }
    }

    fn definite(&mut self, purpose: Purpose, now: Duration, reply: Reply) {
        match (purpose, reply) {
            (Purpose::Authenticate, Reply::Done(_)) => {}
            (Purpose::Authenticate, Reply::Error(reason)) => {
                // Administrative requests will be refused one by one, with the reason.
                debug!(reason, "the admin key was not accepted");
            }
            (Purpose::Open, Reply::Answer(answer)) => self.opened(answer),
            (Purpose::Open, Reply::Error(reason)) => self.not_opened(NotOpened::Refused(reason)),
            (Purpose::Heartbeat, Reply::Alive { heartbeat_ms, .. }) => {
                self.heartbeat = heartbeat_of(heartbeat_ms);
                self.confirm();
            }
            (Purpose::Heartbeat, Reply::Gone) => self.lose(),
            (Purpose::Heartbeat, Reply::Error(reason)) => debug!(reason, "a heartbeat was refused"),
            (Purpose::Servers, Reply::Status(page)) => {
                self.events.push_back(SessionEvent::Servers(page.servers));
            }
            (Purpose::Servers, Reply::Error(reason)) => debug!(reason, "the servers are not listed"),
            (Purpose::Call(number), Reply::Answer(answer)) => self.called(number, now, answer),
            (Purpose::Call(number), Reply::Error(reason)) => self.call_refused(number, reason),
            // Not done now, nor before: an edition that applies is never lowered.
            (Purpose::Call(number), Reply::NeedsEdition { .. }) => self.call_sleeps(number),
            (Purpose::Query(number), Reply::Status(page)) => self.queried(number, now, page),
            (Purpose::Query(number), Reply::Error(reason)) => {
                if let Some(query) = self.queries.remove(&number) {
                    let what = words::STATUS.to_owned();
                    self.deliver(query.waiter, Err(RequestError::Refused { what, reason }));
                }
            }
            (Purpose::Close, Reply::Answer(answer)) => self.closed(answer),
            (Purpose::Close, Reply::Error(reason)) => {
                let what = words::CLOSE.to_owned();
                self.end_closing(Err(RequestError::Refused { what, reason }));
            }
            (purpose, reply) => {
                // Due again on the connection that follows this one.
                self.repeat(purpose, now);
                let (awaited, found) = (purpose.name(), words::reply(&reply));
                self.events.push_back(SessionEvent::Nonsense { awaited, found });
            }
        }
    }

    fn opened(&mut self, answer: Answer) {
        if !self.is_opening() {
            return;
        }
        match answer.outcome {
            Outcome::SessionOpened { session } => {
                self.phase = Phase::Open(session);
                // The answer was a sign of life already.
                self.heartbeat_wanted = false;
                self.events.push_back(SessionEvent::Opened(session));
                self.confirm();
            }
            Outcome::Denied(denial) => self.not_opened(NotOpened::Denied(denial)),
            other => self.not_opened(NotOpened::Refused(format!("the answer was {other:?}"))),
        }
    }

    fn not_opened(&mut self, reason: NotOpened) {
        self.finish(End::NotOpened);
        self.events.push_back(SessionEvent::NotOpened(reason));
    }

    fn called(&mut self, number: u64, now: Duration, answer: Answer) {
        if let Outcome::Denied(Denial::UnknownSession { .. } | Denial::WrongToken { .. }) = answer.outcome {
            if let Some(asked) = self.asked.get_mut(&number) {
                // This sending was not carried out; whether an earlier one was, `in_doubt` knows.
                asked.sending = Sending::Due(Duration::ZERO);
            }
            return self.lose();
        }
        self.confirm();
        let Some(asked) = self.asked.remove(&number) else { return };
        match (asked.waiter, &answer.outcome) {
            (Some(waiter), _) if !waiter.gave_up() => self.deliver(waiter, Ok(Payload::Answer(answer))),
            // Nobody will ever give these seats back but we.
            (_, Outcome::Granted { handle, .. }) => self.give_back(now, *handle, None),
            _ => {}
        }
    }

    fn call_refused(&mut self, number: u64, reason: String) {
        let Some(asked) = self.asked.remove(&number) else { return };
        let what = words::action(&asked.action);
        let Some(waiter) = asked.waiter else {
            debug!(what, reason, "refused");
            return;
        };
        // Nothing was done this time; an earlier time may be another matter.
        let error = if asked.in_doubt {
            RequestError::Unknown { what, reason }
        } else {
            RequestError::Refused { what, reason }
        };
        self.deliver(waiter, Err(error));
    }

    fn call_sleeps(&mut self, number: u64) {
        let Some(asked) = self.asked.remove(&number) else { return };
        if let Some(waiter) = asked.waiter {
            self.deliver(waiter, Err(needs_edition(&asked.action)));
        }
    }

    fn queried(&mut self, number: u64, now: Duration, page: Box<StatusPage>) {
        let Some(mut query) = self.queries.remove(&number) else { return };
        match query.pages.add(page) {
            Progress::Done(whole) => self.deliver(query.waiter, Ok(Payload::Status(whole))),
            Progress::More => {
                query.sending = Sending::Due(now);
                query.tries = 0;
                self.queries.insert(number, query);
            }
        }
    }

    fn closed(&mut self, answer: Answer) {
        match answer.outcome {
            // Gone before is gone all the same.
            Outcome::SessionClosed { .. } | Outcome::Denied(Denial::UnknownSession { .. }) => {
                self.end_closing(Ok(Payload::Closed));
            }
            Outcome::Denied(denial) => self.end_closing(Err(RequestError::Denied(denial))),
            other => {
                let reason = format!("the answer was {other:?}");
                self.end_closing(Err(RequestError::Unknown { what: words::CLOSE.to_owned(), reason }));
            }
        }
    }

    /// The session does not exist any more.
    fn lose(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Over(End::Closed)) {
            Phase::Open(session) => {
                self.finish(End::Lost(session));
                self.events.push_back(SessionEvent::Lost(session));
            }
            Phase::Closing { session, waiter, .. } => {
                self.finish(End::Lost(session));
                self.deliver_to(waiter, Ok(Payload::Closed));
                self.events.push_back(SessionEvent::Closed);
            }
            other => self.phase = other,
        }
    }

    pub(super) fn end_closing(&mut self, result: Result<Payload, RequestError>) {
        if let Phase::Closing { waiter, .. } = std::mem::replace(&mut self.phase, Phase::Over(End::Closed)) {
            self.finish(End::Closed);
            self.deliver_to(waiter, result);
            self.events.push_back(SessionEvent::Closed);
        }
    }

    /// Nothing more will be sent: tells everybody who waits what is known.
    pub(super) fn finish(&mut self, end: End) {
        self.phase = Phase::Over(end);
        self.sending = false;
        let over = self.refusal().unwrap_or(RequestError::Closed);
        for back in std::mem::take(&mut self.returns) {
            self.deliver_to(back.waiter, Err(over.clone()));
        }
        for asked in std::mem::take(&mut self.asked).into_values() {
            let error = asked.error_at_end(&over);
            if let Some(waiter) = asked.waiter {
                self.deliver(waiter, Err(error));
            }
        }
        self.refuse_waiting(&over);
    }

    pub(super) fn refuse_waiting(&mut self, error: &RequestError) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.deliver(waiting.waiter, Err(error.clone()));
        }
        for query in std::mem::take(&mut self.queries).into_values() {
            self.deliver(query.waiter, Err(error.clone()));
        }
    }

    /// Why nothing is accepted any more, if so.
    pub(super) fn refusal(&self) -> Option<RequestError> {
        match self.phase {
            Phase::Opening(_) | Phase::Open(_) => None,
            Phase::Over(End::Lost(session)) => Some(RequestError::SessionLost { session }),
            Phase::Closing { .. } | Phase::Over(End::Closed | End::NotOpened) => Some(RequestError::Closed),
        }
    }

    pub(super) fn deliver(&mut self, waiter: W, result: Result<Payload, RequestError>) {
        self.events.push_back(SessionEvent::Delivered { waiter, result });
    }

    pub(super) fn deliver_to(&mut self, waiter: Option<W>, result: Result<Payload, RequestError>) {
        if let Some(waiter) = waiter {
            self.deliver(waiter, result);
        }
    }

    fn confirm(&mut self) {
        if !self.confirmed {
            self.confirmed = true;
            self.events.push_back(SessionEvent::Confirmed);
        }
    }

    /// Makes what was sent due again.
    pub(super) fn repeat(&mut self, purpose: Purpose, at: Duration) {
        let due = Sending::Due(at);
        match (purpose, &mut self.phase) {
            (Purpose::Open, Phase::Opening(sending)) | (Purpose::Close, Phase::Closing { sending, .. }) => {
                *sending = due;
            }
            (Purpose::Call(number), _) => {
                if let Some(asked) = self.asked.get_mut(&number) {
                    asked.sending = due;
                }
            }
            (Purpose::Query(number), _) => {
                if let Some(query) = self.queries.get_mut(&number) {
                    query.sending = due;
                }
            }
            // Heartbeats come again by themselves, and the rest is for this connection only.
            _ => {}
        }
    }

    /// How long to wait before asking again what the server could not decide: doubles with every try.
    fn retry_pause(&mut self, purpose: Purpose) -> Duration {
        let tries = match purpose {
            Purpose::Call(number) => self.asked.get_mut(&number).map(|asked| &mut asked.tries),
            Purpose::Query(number) => self.queries.get_mut(&number).map(|query| &mut query.tries),
            _ => Some(&mut self.tries),
        };
        let Some(tries) = tries else { return FIRST_RETRY };
        *tries = tries.saturating_add(1);
        (FIRST_RETRY * 2_u32.saturating_pow(tries.saturating_sub(1).min(16))).min(LONGEST_RETRY)
    }
}

impl<W> Asked<W> {
    /// What is known of a request when the session ends before its answer came.
    fn error_at_end(&self, over: &RequestError) -> RequestError {
        // Returned or not, the seats went with the session.
        let is_return = matches!(self.action, Action::Checkin { .. });
        if is_return && matches!(over, RequestError::SessionLost { .. }) {
            return over.clone();
        }
        if self.in_doubt || self.sending == Sending::InFlight {
            let reason = format!("no answer had come when the session ended ({over})");
            RequestError::Unknown { what: words::action(&self.action), reason }
        } else {
            over.clone()
        }
    }
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::Authenticate => "the proof of the admin key",
            Purpose::Open => "the opening of a session",
            Purpose::Heartbeat => "a heartbeat",
            Purpose::Servers | Purpose::Query(_) => words::STATUS,
            Purpose::Call(_) => "a numbered request",
            Purpose::Close => words::CLOSE,
        }
    }
}
