//! What is true of names and times: they come from the log.

use super::ensure::ensure;
use crate::id::LogIndex;
use crate::state::State;

pub(super) fn handles_and_sessions_come_from_the_log(state: &State) -> Result<(), String> {
    let last = state.last_index;
    let in_log = |index: LogIndex| LogIndex(1) <= index && index <= last;
    for (handle, checkout) in &state.checkouts {
        let older = checkout.keeper.session().is_none_or(|session| session.0 < handle.0);
        ensure(in_log(LogIndex(handle.0)) && older, || {
            format!("checkout {handle}, kept by {:?}, in a log of {last}", checkout.keeper)
        })?;
    }
    for (session, known) in &state.sessions {
        let answers = known.answers.iter().map(|(_, answer)| answer.index);
        let mut indices = answers.chain([LogIndex(session.0), known.last_active]);
        ensure(indices.all(|index| in_log(index) && index.0 >= session.0), || {
            format!("session {session} in a log of {last}")
        })?;
    }
    for (vendor, known) in &state.vendors {
        let installed_at = known.installed.installed_at;
        ensure(in_log(installed_at), || format!("license of {vendor} of {installed_at} in a log of {last}"))?;
    }
    Ok(())
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
