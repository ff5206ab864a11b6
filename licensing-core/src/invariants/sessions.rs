//! What is true of sessions and of the answers they keep.

use super::ensure::ensure;
use crate::id::RequestId;
use crate::session::{MAX_SESSIONS, MAX_UNANSWERED};
use crate::state::State;

/// Both ways: as many tokens as sessions, and each session is found by its own.
pub(super) fn tokens_name_their_session(state: &State) -> Result<(), String> {
    ensure(state.tokens.len() == state.sessions.len(), || {
        format!("{} tokens for {} sessions", state.tokens.len(), state.sessions.len())
    })?;
    let lost = state.sessions.iter().find(|(id, session)| state.tokens.get(&session.token) != Some(*id));
    lost.map_or(Ok(()), |(id, _)| Err(format!("session {id} is not found by its token")))
}

pub(super) fn there_are_not_more_sessions_than_allowed(state: &State) -> Result<(), String> {
    let sessions = state.sessions.len();
    ensure(sessions <= MAX_SESSIONS, || format!("there are {sessions}, allowed are {MAX_SESSIONS}"))
}

pub(super) fn no_session_keeps_more_than_64_answers(state: &State) -> Result<(), String> {
    let full = state.sessions.iter().find(|(_, session)| session.answers.len() > MAX_UNANSWERED);
    full.map_or(Ok(()), |(id, session)| Err(format!("session {id} keeps {}", session.answers.len())))
}

/// And they stand in ascending order, because they are searched.
pub(super) fn every_kept_answer_is_unacknowledged(state: &State) -> Result<(), String> {
    for (id, session) in &state.sessions {
        let mut before: RequestId = session.forgotten;
        for (request, _) in &session.answers {
            ensure(*request > before, || format!("session {id} keeps request {request} after {before}"))?;
            before = *request;
        }
    }
    Ok(())
}
