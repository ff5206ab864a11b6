//! What is true of the seats that are out.

use std::collections::BTreeMap;

use super::ensure::ensure;
use crate::holding::Keeper;
use crate::id::PoolId;
use crate::state::State;

pub(super) fn every_pool_counts_exactly_the_seats_that_are_out(state: &State) -> Result<(), String> {
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
pub(super) fn no_pool_gives_more_than_licensed(state: &State) -> Result<(), String> {
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

pub(super) fn every_checkout_holds_at_least_one_seat(state: &State) -> Result<(), String> {
    let empty = state.checkouts.iter().find(|(_, checkout)| checkout.seats.0 == 0);
    empty.map_or(Ok(()), |(handle, _)| Err(format!("checkout {handle} holds none")))
}

pub(super) fn every_session_that_keeps_seats_lives(state: &State) -> Result<(), String> {
    let gone = state.checkouts.iter().find_map(|(handle, checkout)| {
        let session = checkout.keeper.session()?;
        (!state.sessions.contains_key(&session)).then_some((handle, session))
    });
    gone.map_or(Ok(()), |(handle, session)| {
        Err(format!("checkout {handle} is kept by session {session}, which is not there"))
    })
}

/// Both ways: as many index entries as checkouts that sessions keep, and each names a checkout of its session.
pub(super) fn every_held_index_is_a_checkout(state: &State) -> Result<(), String> {
    let kept = state.checkouts.values().filter(|checkout| checkout.keeper.session().is_some()).count();
    ensure(state.held.len() == kept, || format!("{} are indexed, {kept} are kept", state.held.len()))?;
    let stray = state.held.iter().find(|(session, handle)| {
        state.checkouts.get(handle).is_none_or(|checkout| checkout.keeper != Keeper::Session(*session))
    });
    stray.map_or(Ok(()), |(session, handle)| Err(format!("session {session} does not hold {handle}")))
}
