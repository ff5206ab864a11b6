//! Sessions: who is connected, and the answers kept so that a request is decided once however often it is sent.
//!
//! The property kept: between two sendings of the same request number the session either still has the first answer
//! or says that it was acknowledged; it never decides again. The number of answers is bounded by
//! [`MAX_UNANSWERED`], so a client that never acknowledges cannot fill the memory of three servers.

use std::sync::Arc;

use crate::command::{Call, Holder};
use crate::id::{LogIndex, RequestId, Token};
use crate::mutant::{Mutant, planted};
use crate::outcome::{Answer, Denial};

/// Most sessions at a time: ten times the connections one server takes, so that sessions waiting for their grace to
/// run out never keep new ones away, and at about 500 bytes each they take 100 MB.
pub const MAX_SESSIONS: usize = 200_000;

/// Most answers a session may leave unacknowledged: how far a client may send ahead.
pub const MAX_UNANSWERED: usize = 64;

/// One session. Kept behind an `Arc` by the state, so that a snapshot shares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) token: Token,
    /// Who speaks here: what it checks out is theirs.
    pub(crate) holder: Arc<Holder>,
    /// The last entry in which the session showed life: what an `Expire` is judged against.
    pub(crate) last_active: LogIndex,
    /// Requests up to this one are acknowledged and their answers gone. Never goes back.
    pub(crate) forgotten: RequestId,
    /// Answers to later requests, ascending. A vector of pointers and not a map: nearly every session keeps one or
    /// two, and a map node would take room for sixteen.
    pub(crate) answers: Vec<(RequestId, Arc<Answer>)>,
}

/// What is to be done with a call whose session and token are right.
pub(crate) enum Admission {
    /// Decide it, then [`Session::remember`] the answer.
    New,
    /// It was decided before, and this was the answer.
    Repeated(Answer),
    /// It is not decided, and this answer is not remembered.
    Refused(Denial),
}

impl Session {
    pub(crate) fn new(token: Token, holder: Holder, index: LogIndex) -> Session {
        Session {
            token,
            holder: Arc::new(holder),
            last_active: index,
            forgotten: RequestId(0),
            answers: Vec::new(),
        }
    }

    /// Forgets what the call acknowledges and says what to do with it.
    ///
    /// A call that acknowledges its own answer contradicts itself; nothing is forgotten for it.
    pub(crate) fn admit(&mut self, call: &Call) -> Admission {
        let request = call.request;
        if request <= self.forgotten {
            return Admission::Refused(Denial::ForgottenRequest { request });
        }
        let sound = call.acknowledged < request;
        if sound {
            self.forget_up_to(call.acknowledged);
        }
        match self.answer(request) {
            Some(_) if planted(Mutant::NoDedup) => Admission::New,
            Some(answer) if sound => Admission::Repeated(answer.clone()),
            None if self.answers.len() >= MAX_UNANSWERED => {
                Admission::Refused(Denial::TooManyUnanswered { limit: MAX_UNANSWERED as u32 })
            }
            None if sound => Admission::New,
            _ => Admission::Refused(Denial::InvalidParameter {
                what: format!(
                    "request {request} acknowledges answers up to {}: acknowledge only earlier requests",
                    call.acknowledged
                ),
            }),
        }
    }

    /// The answer kept for a request.
    pub(crate) fn answer(&self, request: RequestId) -> Option<&Answer> {
        if planted(Mutant::DedupIgnoresNumber) {
            return self.answers.last().map(|(_, answer)| answer.as_ref());
        }
        let place = self.place(request).ok()?;
        self.answers.get(place).map(|(_, answer)| answer.as_ref())
    }

    /// Keeps the answer to a request that was admitted as new.
    pub(crate) fn remember(&mut self, request: RequestId, answer: Answer) {
        if let Err(place) = self.place(request) {
            self.answers.insert(place, (request, Arc::new(answer)));
        }
        if planted(Mutant::WindowTooSmall) {
            self.answers.drain(..self.answers.len().saturating_sub(1));
        }
    }

    fn forget_up_to(&mut self, acknowledged: RequestId) {
        if acknowledged > self.forgotten {
            self.forgotten = acknowledged;
            self.answers.retain(|(request, _)| *request > acknowledged);
        }
    }

    fn place(&self, request: RequestId) -> Result<usize, usize> {
        self.answers.binary_search_by_key(&request, |(kept, _)| *kept)
    }
}
