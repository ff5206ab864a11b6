//! From license lines to pools, and putting the pools of a new license in place of the old ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;

use super::Pool;
use super::catalog::Catalog;
use super::key::PoolKey;
use super::rank::Rank;
use super::terms::{PoolLine, PoolTerms};
use crate::id::{PoolId, Seats};
use crate::license::{Count, Date, FeatureKind, License};

/// Most pools of all vendors together: what a status may have to list, and three servers keep in memory.
pub(crate) const MAX_POOLS: usize = 100_000;

/// The pools of a license in file order, before they have ids.
pub(crate) struct Layout {
    pools: Vec<(Rank, PoolTerms)>,
}

impl Layout {
    /// Reads the pools from the lines. Of the counted FEATURE lines of a name only the first is used; every
    /// INCREMENT adds.
    pub(crate) fn of(license: &License) -> Layout {
        let mut pools: Vec<(Rank, PoolTerms)> = Vec::new();
        let mut places: BTreeMap<PoolKey, usize> = BTreeMap::new();
        let mut counted_features: BTreeSet<&str> = BTreeSet::new();
        for (place, line) in license.features.iter().enumerate() {
            let replaces = line.kind == FeatureKind::Feature && line.count != Count::Uncounted;
            if replaces && !counted_features.insert(&line.name) {
                continue;
            }
            let rank = Rank::of(place, line);
            let key = PoolKey::of(line);
            let index = *places.entry(key.clone()).or_insert_with(|| {
                pools.push((rank.clone(), PoolTerms::start(key, line)));
                pools.len() - 1
            });
            if let Some((first, terms)) = pools.get_mut(index) {
                *first = rank.min(first.clone());
                let seats = match line.count {
                    Count::Uncounted => Seats(0),
                    Count::Counted(seats) => Seats(seats),
                };
                terms.lines.push(PoolLine { seats, starts: line.starts, expiry: line.expiry });
            }
        }
        for (_, terms) in &mut pools {
            let longest = terms.lines.iter().map(|line| line.expiry).max();
            terms.expires = longest.map(|expiry| expiry.to_string()).unwrap_or_default();
        }
        Layout { pools }
    }

    /// How many pools there are.
    pub(crate) fn len(&self) -> usize {
        self.pools.len()
    }

    /// Gives the pools the ids and carried-over seats that were stored for them, in file order.
    pub(crate) fn with_ids(self, stored: &[(PoolId, u64)]) -> (OrdMap<PoolId, Pool>, Catalog) {
        finish(self.pools.into_iter().zip(stored).map(|((rank, terms), (id, carried))| {
            (*id, rank, Pool { in_use: 0, carried: *carried, terms: Arc::new(terms) })
        }))
    }

    /// Puts this layout in place of a vendor's pools among the `old` ones. Those with an equal key keep their id and their seats; those
    /// that are gone stay without licensed seats while seats are out. New pools take the lowest numbers that are
    /// not taken.
    pub(crate) fn replacing(
        self,
        vendor: &str,
        old: &OrdMap<PoolId, Pool>,
    ) -> (OrdMap<PoolId, Pool>, Catalog) {
        let is_own = |pool: &Pool| pool.terms.vendor == vendor;
        let mut by_key: BTreeMap<&PoolKey, (PoolId, &Pool)> = old
            .iter()
            .filter(|(_, pool)| is_own(pool))
            .map(|(id, pool)| (&pool.terms.key, (*id, pool)))
            .collect();
        let mut free = (1..=u32::MAX).map(PoolId).filter(|id| !old.contains_key(id));
        let mut kept = Vec::with_capacity(self.pools.len());
        for (rank, terms) in self.pools {
            let (id, in_use) = match by_key.remove(&terms.key) {
                Some((id, pool)) => (Some(id), pool.in_use),
                None => (free.next(), 0),
            };
            // Always an id: a license has fewer lines than there are numbers.
            if let Some(id) = id {
                kept.push((id, rank, Pool { in_use, carried: in_use, terms: Arc::new(terms) }));
            }
        }
        let gone: Vec<(PoolId, Pool)> =
            by_key.into_values().filter_map(|(id, pool)| Some((id, retire(pool)?))).collect();
        let (mut pools, catalog) = finish(kept.into_iter());
        pools.extend(gone);
        pools.extend(old.iter().filter(|(_, pool)| !is_own(pool)).map(|(id, pool)| (*id, pool.clone())));
        (pools, catalog)
    }
}

/// A pool whose lines are gone, if seats of it are still out.
fn retire(pool: &Pool) -> Option<Pool> {
    let terms = PoolTerms { lines: Vec::new(), ..PoolTerms::clone(&pool.terms) };
    (pool.in_use > 0).then(|| Pool { in_use: pool.in_use, carried: pool.in_use, terms: Arc::new(terms) })
}

fn finish(placed: impl Iterator<Item = (PoolId, Rank, Pool)>) -> (OrdMap<PoolId, Pool>, Catalog) {
    let mut pools = OrdMap::new();
    let mut catalog = Catalog::default();
    let mut ranked: Vec<(Rank, PoolId, String)> = Vec::new();
    let mut deadlines = BTreeSet::new();
    for (id, rank, pool) in placed {
        for line in &pool.terms.lines {
            deadlines.extend(line.starts.map(Date::start_ms));
            deadlines.extend(line.expiry.end_ms());
        }
        catalog.order.push(id);
        ranked.push((rank, id, pool.terms.key.feature.clone()));
        pools.insert(id, pool);
    }
    ranked.sort();
    for (_, id, feature) in ranked {
        catalog.features.entry(feature).or_default().push(id);
    }
    catalog.deadlines = deadlines.into_iter().collect();
    (pools, catalog)
}
