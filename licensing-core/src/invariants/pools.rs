//! What is true of the pools of a license.

use std::collections::BTreeSet;

use super::ensure::ensure;
use crate::id::PoolId;
use crate::installing::staging::MAX_STAGED_BYTES;
use crate::state::State;

pub(super) fn every_licensed_pool_is_listed_once(state: &State) -> Result<(), String> {
    let licensed: BTreeSet<PoolId> =
        state.pools.iter().filter(|(_, pool)| !pool.terms.is_retired()).map(|(id, _)| *id).collect();
    let catalogs = || state.vendors.values().map(|vendor| &vendor.catalog);
    let listings: [Vec<PoolId>; 2] = [
        catalogs().flat_map(|catalog| &catalog.order).copied().collect(),
        catalogs().flat_map(|catalog| catalog.features.values()).flatten().copied().collect(),
    ];
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

/// A vendor's license may go only when another takes its place, so its pools never stand alone.
pub(super) fn every_pool_belongs_to_a_vendor_that_is_served(state: &State) -> Result<(), String> {
    let stray = state.pools.iter().find(|(_, pool)| !state.vendors.contains_key(pool.terms.vendor.as_str()));
    stray.map_or(Ok(()), |(id, pool)| Err(format!("pool {id} is of vendor {}", pool.terms.vendor)))?;
    for (name, vendor) in &state.vendors {
        let own = vendor.installed.license().vendor_name();
        ensure(own == Some(name), || format!("the license of vendor {name} says {own:?}"))?;
    }
    Ok(())
}

pub(super) fn all_licenses_are_for_the_same_servers(state: &State) -> Result<(), String> {
    let mut identities = state.vendors.values().map(|vendor| vendor.installed.license().triad_identity());
    let Some(first) = identities.next() else { return Ok(()) };
    let other = identities.find(|identity| *identity != first);
    other.map_or(Ok(()), |other| Err(format!("one is for {first}, another for {other}")))
}

pub(super) fn what_is_on_its_way_is_within_its_limits(state: &State) -> Result<(), String> {
    let Some(staging) = &state.staging else { return Ok(()) };
    let bytes: usize = staging.parts.iter().map(|part| part.len()).sum();
    ensure(bytes == staging.bytes && bytes <= MAX_STAGED_BYTES, || {
        format!("{bytes} bytes are there, {} are counted", staging.bytes)
    })
}
