//! What is true of names and times: they come from the log.

use super::ensure::ensure;
use crate::id::LogIndex;
use crate::state::State;

pub(super) fn handles_and_sessions_come_from_the_log(state: &State) -> Result<(), String> {
    let last = state.last_index;
    let in_log = |index: LogIndex| LogIndex(1) <= index && index <= last;
    for (handle, checkout) in &state.checkouts {
        ensure(in_log(LogIndex(handle.0)) && checkout.session.0 < handle.0, || {
            format!("checkout {handle} of session {} in a log of {last}", checkout.session)
        })?;
    }
    for (session, known) in &state.sessions {
        let answers = known.answers.iter().map(|(_, answer)| answer.index);
        let mut indices = answers.chain([LogIndex(session.0), known.last_active]);
        ensure(indices.all(|index| in_log(index) && index.0 >= session.0), || {
            format!("session {session} in a log of {last}")
        })?;
    }
    match &state.license {
        Some(license) => ensure(in_log(license.installed_at), || {
            format!("license installed at {} in a log of {last}", license.installed_at)
        }),
        None => Ok(()),
    }
}

pub(super) fn nothing_happened_after_the_clock(state: &State) -> Result<(), String> {
    let clock = state.clock;
    for (handle, checkout) in &state.checkouts {
        ensure(checkout.since <= clock, || {
            format!("checkout {handle} is of {}, the clock is at {clock}", checkout.since)
        })?;
    }
    for (session, known) in &state.sessions {
        ensure(known.answers.iter().all(|(_, answer)| answer.at <= clock), || {
            format!("session {session} has a later answer than {clock}")
        })?;
    }
    Ok(())
}
