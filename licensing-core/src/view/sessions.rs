//! Who is connected, and what became of their requests.

use crate::command::{Holder, Identity};
use crate::id::{LogIndex, RequestId, SessionId, Token};
use crate::outcome::Answer;
use crate::state::State;

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
    /// All living sessions, oldest first.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.keys().copied()
    }

    /// How many sessions there are, at most [`MAX_SESSIONS`](crate::session::MAX_SESSIONS).
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Who speaks in a session; `None` when it is not living.
    pub fn holder(&self, session: SessionId) -> Option<&Holder> {
        self.sessions.get(&session).map(|session| session.holder.as_ref())
    }

    /// Who a session says it is; `None` when it is not living.
    pub fn identity(&self, session: SessionId) -> Option<&Identity> {
        self.sessions.get(&session).map(|session| &session.holder.identity)
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
}
