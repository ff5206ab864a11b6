//! What is true of every state, as named claims, and the one checker of them all.
//!
//! [`check`] is run after every step by tests of every kind and, in release, at start and when a snapshot is
//! installed. It recomputes what the state keeps ready (counters, indexes) from what it stores, so a mistake in
//! keeping them up to date cannot hide. It walks everything: about a second for a million checkouts.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{LogIndex, PoolId, RequestId};
use crate::session::{MAX_SESSIONS, MAX_UNANSWERED};
use crate::state::State;

/// A state that cannot be: a bug in this crate, or bytes that are not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not true that {claim}: {detail}")]
pub struct Violation {
    /// What should be true.
    pub claim: &'static str,
    /// Where it is not.
    pub detail: String,
}

type Claim = fn(&State) -> Result<(), String>;

const CLAIMS: [(&str, Claim); 13] = [
    ("every pool counts exactly the seats that are out", every_pool_counts_exactly_the_seats_that_are_out),
    ("no pool gives more than licensed", no_pool_gives_more_than_licensed),
    ("every licensed pool is listed once", every_licensed_pool_is_listed_once),
    ("no pool outlives its license and its seats", no_pool_outlives_its_license_and_its_seats),
    ("every checkout holds at least one seat", every_checkout_holds_at_least_one_seat),
    ("every checkout belongs to a living session", every_checkout_belongs_to_a_living_session),
    ("every held index is a checkout", every_held_index_is_a_checkout),
    ("handles and sessions come from the log", handles_and_sessions_come_from_the_log),
    ("nothing happened after the clock", nothing_happened_after_the_clock),
    ("tokens name their session", tokens_name_their_session),
    ("there are not more sessions than allowed", there_are_not_more_sessions_than_allowed),
    ("no session keeps more than 64 answers", no_session_keeps_more_than_64_answers),
    ("every kept answer is unacknowledged", every_kept_answer_is_unacknowledged),
];

/// Checks every claim.
///
/// # Errors
///
/// The first claim that is not true, with the place where it is not.
pub fn check(state: &State) -> Result<(), Violation> {
    for (claim, holds) in CLAIMS {
        holds(state).map_err(|detail| Violation { claim, detail })?;
    }
    Ok(())
}

fn every_pool_counts_exactly_the_seats_that_are_out(state: &State) -> Result<(), String> {
    let mut out: BTreeMap<PoolId, u64> = state.pools.keys().map(|id| (*id, 0)).collect();
    for (handle, checkout) in &state.checkouts {
        match out.get_mut(&checkout.pool) {
            Some(seats) => *seats = seats.saturating_add(u64::from(checkout.seats.0)),
            None => {
                return Err(format!("checkout {handle} is from pool {}, which is not there", checkout.pool));
            }
        }
    }
    for (id, pool) in &state.pools {
        let seats = out.get(id).copied().unwrap_or(0);
        ensure(pool.in_use == seats, || format!("pool {id} counts {}, out are {seats}", pool.in_use))?;
    }
    Ok(())
}

/// The boundary is the seats of all lines whatever their dates: a line that expired gave its seats while it was
/// valid, and they stay out. Seats carried over from a larger license may stay out too, but not grow.
fn no_pool_gives_more_than_licensed(state: &State) -> Result<(), String> {
    for (id, pool) in &state.pools {
        if let Some(total) = pool.terms.total() {
            let most = total.max(pool.carried);
            ensure(pool.in_use <= most, || {
                format!("pool {id}: {} of {total} are out ({} carried over)", pool.in_use, pool.carried)
            })?;
        }
    }
    Ok(())
}

fn every_licensed_pool_is_listed_once(state: &State) -> Result<(), String> {
    let licensed: BTreeSet<PoolId> =
        state.pools.iter().filter(|(_, pool)| !pool.terms.is_retired()).map(|(id, _)| *id).collect();
    let listings: [Vec<PoolId>; 2] =
        [state.catalog.order.clone(), state.catalog.features.values().flatten().copied().collect()];
    for listed in listings {
        let distinct: BTreeSet<PoolId> = listed.iter().copied().collect();
        ensure(listed.len() == distinct.len() && distinct == licensed, || {
            format!("listed are {listed:?}, licensed are {licensed:?}")
        })?;
    }
    Ok(())
}

fn no_pool_outlives_its_license_and_its_seats(state: &State) -> Result<(), String> {
    let idle = state.pools.iter().find(|(_, pool)| pool.terms.is_retired() && pool.in_use == 0);
    idle.map_or(Ok(()), |(id, _)| Err(format!("pool {id} has neither lines nor seats out")))
}

fn every_checkout_holds_at_least_one_seat(state: &State) -> Result<(), String> {
    let empty = state.checkouts.iter().find(|(_, checkout)| checkout.seats.0 == 0);
    empty.map_or(Ok(()), |(handle, _)| Err(format!("checkout {handle} holds none")))
}

fn every_checkout_belongs_to_a_living_session(state: &State) -> Result<(), String> {
    let orphan = state.checkouts.iter().find(|(_, checkout)| !state.sessions.contains_key(&checkout.session));
    orphan.map_or(Ok(()), |(handle, checkout)| {
        Err(format!("checkout {handle} belongs to session {}, which is not there", checkout.session))
    })
}

/// Both ways: as many index entries as checkouts, and each names a checkout of its session.
fn every_held_index_is_a_checkout(state: &State) -> Result<(), String> {
    ensure(state.held.len() == state.checkouts.len(), || {
        format!("{} are indexed, {} are out", state.held.len(), state.checkouts.len())
    })?;
    let stray = state.held.iter().find(|(session, handle)| {
        state.checkouts.get(handle).is_none_or(|checkout| checkout.session != *session)
    });
    stray.map_or(Ok(()), |(session, handle)| Err(format!("session {session} does not hold {handle}")))
}

fn handles_and_sessions_come_from_the_log(state: &State) -> Result<(), String> {
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

fn nothing_happened_after_the_clock(state: &State) -> Result<(), String> {
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

/// Both ways: as many tokens as sessions, and each session is found by its own.
fn tokens_name_their_session(state: &State) -> Result<(), String> {
    ensure(state.tokens.len() == state.sessions.len(), || {
        format!("{} tokens for {} sessions", state.tokens.len(), state.sessions.len())
    })?;
    let lost = state.sessions.iter().find(|(id, session)| state.tokens.get(&session.token) != Some(*id));
    lost.map_or(Ok(()), |(id, _)| Err(format!("session {id} is not found by its token")))
}

fn there_are_not_more_sessions_than_allowed(state: &State) -> Result<(), String> {
    let sessions = state.sessions.len();
    ensure(sessions <= MAX_SESSIONS, || format!("there are {sessions}, allowed are {MAX_SESSIONS}"))
}

fn no_session_keeps_more_than_64_answers(state: &State) -> Result<(), String> {
    let full = state.sessions.iter().find(|(_, session)| session.answers.len() > MAX_UNANSWERED);
    full.map_or(Ok(()), |(id, session)| Err(format!("session {id} keeps {}", session.answers.len())))
}

/// And they stand in ascending order, because they are searched.
fn every_kept_answer_is_unacknowledged(state: &State) -> Result<(), String> {
    for (id, session) in &state.sessions {
        let mut before: RequestId = session.forgotten;
        for (request, _) in &session.answers {
            ensure(*request > before, || format!("session {id} keeps request {request} after {before}"))?;
            before = *request;
        }
    }
    Ok(())
}

fn ensure(holds: bool, detail: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(detail()) }
}
