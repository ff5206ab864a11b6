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

    /// Puts this layout in place of a vendor's pools among the `old` ones, as if nobody held a seat of that vendor. Pools
    /// with an equal key keep their id, those that are gone keep theirs for the seats that may be out; new pools take the
    /// lowest numbers that are not taken. Depends on the ids and keys of the old pools only, not on their seats.
    pub(crate) fn over(self, vendor: &str, old: &OrdMap<PoolId, Pool>) -> Laid {
        let is_own = |pool: &Pool| pool.terms.vendor == vendor;
        let own = old.iter().filter(|(_, pool)| is_own(pool));
        let mut by_key: BTreeMap<&PoolKey, PoolId> = own.map(|(id, pool)| (&pool.terms.key, *id)).collect();
        let mut free = (1..=u32::MAX).map(PoolId).filter(|id| !old.contains_key(id));
        let placed = self.pools.into_iter().filter_map(|(rank, terms)| {
            // Always an id: a license has fewer lines than there are numbers.
            let id = by_key.remove(&terms.key).or_else(|| free.next())?;
            Some((id, rank, Pool { in_use: 0, carried: 0, terms: Arc::new(terms) }))
        });
        let (mut pools, catalog) = finish(placed);
        let catalog = Arc::new(catalog);
        pools.extend(old.iter().filter(|(_, pool)| !is_own(pool)).map(|(id, pool)| (*id, pool.clone())));
        Laid { vendor: vendor.to_owned(), pools, catalog }
    }
}

/// The pools after a license was put in place of an older one, before they have their seats.
#[derive(Debug, Clone)]
pub(crate) struct Laid {
    vendor: String,
    pools: OrdMap<PoolId, Pool>,
    /// Shared: it is as long as the license.
    catalog: Arc<Catalog>,
}

impl Laid {
    /// How many pools there are.
    pub(crate) fn len(&self) -> usize {
        self.pools.len()
    }

    /// With the seats that are out of the `old` pools, over which it was laid. A vendor's pool that is gone stays without
    /// licensed seats while seats are out.
    pub(crate) fn with_seats_of(
        mut self,
        old: &OrdMap<PoolId, Pool>,
    ) -> (OrdMap<PoolId, Pool>, Arc<Catalog>) {
        for (id, pool) in old {
            let known = self.pools.get(id);
            if pool.terms.vendor != self.vendor {
                if known.is_none_or(|known| known.in_use != pool.in_use) {
                    self.pools.insert(*id, pool.clone());
                }
            } else if pool.in_use > 0 {
                let (in_use, carried) = (pool.in_use, pool.in_use);
                let terms = known.map_or_else(|| retired(pool), |known| known.terms.clone());
                self.pools.insert(*id, Pool { in_use, carried, terms });
            }
        }
        (self.pools, self.catalog)
    }
}

/// The terms of a pool whose lines are gone.
fn retired(pool: &Pool) -> Arc<PoolTerms> {
    Arc::new(PoolTerms { lines: Vec::new(), ..PoolTerms::clone(&pool.terms) })
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
