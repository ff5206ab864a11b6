//! Opening, closing and expiring sessions.

use std::net::IpAddr;
use std::sync::Arc;

use super::{check_text, count};
use crate::apply::applying::Applying;
use crate::command::{Holder, Identity};
use crate::event::{EventKind, Return};
use crate::id::{Handle, LogIndex, SessionId, Token};
use crate::outcome::{Denial, Outcome};
use crate::session::{MAX_SESSIONS, Session};
use crate::state::State;

impl State {
    pub(crate) fn open_session(
        &mut self,
        token: Token,
        identity: &Identity,
        address: Option<IpAddr>,
        applying: &mut Applying,
    ) -> Result<Outcome, Denial> {
        if let Some(session) = self.tokens.get(&token).copied() {
            if let Some(known) = self.sessions.get_mut(&session) {
                Arc::make_mut(known).last_active = applying.index;
            }
            return Ok(Outcome::SessionOpened { session });
        }
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(Denial::TooManySessions { limit: count(MAX_SESSIONS) });
        }
        check_text("user name", &identity.user)?;
        check_text("host name", &identity.host)?;
        check_text("display name", &identity.display)?;
        check_text("project name", &identity.project)?;
        let session = SessionId(applying.index.0);
        let holder = Holder { identity: identity.clone(), address };
        self.sessions.insert(session, Arc::new(Session::new(token, holder, applying.index)));
        self.tokens.insert(token, session);
        applying.record(EventKind::SessionOpened(session));
        Ok(Outcome::SessionOpened { session })
    }

    pub(crate) fn close_session(
        &mut self,
        session: SessionId,
        token: Token,
        applying: &mut Applying,
    ) -> Result<Outcome, Denial> {
        self.speaker(session, token)?;
        let returned = self.end_session(session, Return::SessionClosed, applying);
        Ok(Outcome::SessionClosed { returned })
    }

    /// Ends the sessions that have been silent since `judged_at`; the master judged with what it had applied then,
    /// and anything a session did later is a sign of life it had not seen.
    pub(crate) fn expire(
        &mut self,
        sessions: &[SessionId],
        judged_at: LogIndex,
        applying: &mut Applying,
    ) -> Outcome {
        let mut ended = Vec::new();
        for session in sessions {
            if self.sessions.get(session).is_some_and(|known| known.last_active <= judged_at) {
                self.end_session(*session, Return::SessionExpired, applying);
                ended.push(*session);
            }
        }
        Outcome::Expired { sessions: ended }
    }

    /// Removes a session and all it holds; returns the handles.
    fn end_session(&mut self, session: SessionId, why: Return, applying: &mut Applying) -> Vec<Handle> {
        let handles = self.handles_of(session);
        for handle in &handles {
            self.give_back(*handle, why, applying);
        }
        self.vendor_data.set_session(session, &[]);
        if let Some(ended) = self.sessions.remove(&session) {
            self.tokens.remove(&ended.token);
        }
        applying.record(EventKind::SessionEnded { session, expired: why == Return::SessionExpired });
        handles
    }

    /// The session, if it exists and the token is its own.
    pub(crate) fn speaker(&mut self, session: SessionId, token: Token) -> Result<&mut Session, Denial> {
        let known = self.sessions.get_mut(&session).ok_or(Denial::UnknownSession { session })?;
        if known.token != token {
            return Err(Denial::WrongToken { session });
        }
        Ok(Arc::make_mut(known))
    }
}
