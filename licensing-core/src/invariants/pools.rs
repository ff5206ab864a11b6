//! What is true of the pools of a license.

use std::collections::BTreeSet;

use super::ensure::ensure;
use crate::id::PoolId;
use crate::state::State;

pub(super) fn every_licensed_pool_is_listed_once(state: &State) -> Result<(), String> {
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

pub(super) fn no_pool_outlives_its_license_and_its_seats(state: &State) -> Result<(), String> {
    let idle = state.pools.iter().find(|(_, pool)| pool.terms.is_retired() && pool.in_use == 0);
    idle.map_or(Ok(()), |(id, _)| Err(format!("pool {id} has neither lines nor seats out")))
}
