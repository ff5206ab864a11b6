//! Pools: which license lines count their seats together, how many seats that is at a moment, and which pool a
//! checkout is served from.
//!
//! The property kept: pools are a function of the license text alone, so three servers that installed the same text
//! have the same pools, and a pool that comes back under the same key keeps its id and its seats. Nothing here
//! changes a seat count: that is done by [`crate::state`].
//!
//! Source: FLEXnet License Administration Guide, "FEATURE and INCREMENT Lines" and "Order of Lines in the License
//! File".

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::id::{PoolId, Seats, Timestamp};
use crate::license::{Count, Date, Expiry, FeatureKind, FeatureLine, License, Version};
use crate::mutant::{Mutant, planted};
use crate::outcome::Denial;

/// Attributes that keep the seats of two lines apart when they differ (FLEXnet License Administration Guide,
/// "FEATURE and INCREMENT Lines": license pools). HOSTID belongs to them too, but is compared normalised.
const POOLING_ATTRIBUTES: [&str; 10] = [
    "BORROW",
    "DUP_GROUP",
    "FLOAT_OK",
    "HOST_BASED",
    // PLATFORMS as older guides spell it.
    "PLATFORM",
    "PLATFORMS",
    "TZ",
    "USER_BASED",
    "VENDOR_STRING",
    "VM_PLATFORMS",
];

/// What two license lines must have in common for their seats to be counted together. The expiry date is no part of
/// it: a pool shrinks as its lines expire.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PoolKey {
    pub(crate) feature: String,
    /// Without leading and trailing zeros, so that `1.0` and `1` are one pool.
    version: String,
    uncounted: bool,
    attributes: BTreeMap<String, String>,
}

impl PoolKey {
    fn of(line: &FeatureLine) -> PoolKey {
        let mut attributes: BTreeMap<String, String> = POOLING_ATTRIBUTES
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), line.attributes.get(name)?.clone())))
            .collect();
        if let Some(host_id) = &line.host_id {
            attributes.insert("HOSTID".to_owned(), host_id.normalised());
        }
        let (integer, fraction) =
            line.version.as_str().split_once('.').unwrap_or((line.version.as_str(), ""));
        let version = format!("{}.{}", integer.trim_start_matches('0'), fraction.trim_end_matches('0'));
        PoolKey { feature: line.name.clone(), version, uncounted: line.count == Count::Uncounted, attributes }
    }
}

/// The seats one license line gives to its pool.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PoolLine {
    seats: Seats,
    starts: Option<Date>,
    expiry: Expiry,
}

impl PoolLine {
    fn has_ended(&self, at: Timestamp) -> bool {
        self.expiry.end_ms().is_some_and(|end| at.0 >= end)
    }

    fn has_started(&self, at: Timestamp) -> bool {
        self.starts.is_none_or(|date| at.0 >= date.start_ms())
    }

    fn is_valid(&self, at: Timestamp) -> bool {
        self.has_started(at) && !self.has_ended(at)
    }
}

/// Place of a line in the order in which pools are tried, fields in order of weight: `sort=`, FEATURE before
/// INCREMENT, uncounted before counted, lowest version first (the lowest sufficient version wastes least), made last
/// first, then file order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    sort: u32,
    kind: FeatureKind,
    counted: bool,
    version: Version,
    made: Reverse<Option<Date>>,
    place: usize,
}

/// What the license says about a pool; immutable between two installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolTerms {
    pub(crate) key: PoolKey,
    pub(crate) version: Version,
    /// The version as the license writes it, shared by the checkouts that ask for exactly it.
    pub(crate) version_text: Arc<str>,
    pub(crate) vendor: String,
    /// Node lock as the license writes it.
    pub(crate) host_id: Option<String>,
    /// Last day of the line that lasts longest, or `permanent`.
    pub(crate) expires: String,
    /// Empty once no license line gives seats to the pool any more.
    lines: Vec<PoolLine>,
}

/// Whether the lines of a pool give seats at a moment.
enum Validity {
    Now,
    /// From that day on.
    Later(Date),
    /// Until that day.
    Over(Option<Date>),
}

impl PoolTerms {
    /// The terms of a pool that no license line mentions any more, as they are kept until its seats are back.
    pub(crate) fn retired(
        key: PoolKey,
        version: Version,
        vendor: String,
        host_id: Option<String>,
        expires: String,
    ) -> PoolTerms {
        let version_text = version.as_str().into();
        PoolTerms { key, version, version_text, vendor, host_id, expires, lines: Vec::new() }
    }

    fn start(key: PoolKey, line: &FeatureLine) -> PoolTerms {
        PoolTerms {
            key,
            version: line.version.clone(),
            version_text: line.version.as_str().into(),
            vendor: line.vendor.clone(),
            host_id: line.host_id.as_ref().map(|id| id.to_string()),
            expires: String::new(),
            lines: Vec::new(),
        }
    }

    /// Whether no license line gives seats to the pool any more.
    pub(crate) fn is_retired(&self) -> bool {
        self.lines.is_empty()
    }

    /// Seats at a moment; `None` when they are not counted.
    pub(crate) fn licensed(&self, at: Timestamp) -> Option<u64> {
        (!self.key.uncounted || self.is_retired()).then(|| self.sum(|line| line.is_valid(at)))
    }

    /// Seats of all lines, whatever their dates; `None` when they are not counted.
    pub(crate) fn total(&self) -> Option<u64> {
        (!self.key.uncounted || self.is_retired()).then(|| self.sum(|_| true))
    }

    // Cannot overflow: lines are far fewer than 2^32, seats per line less than 2^32.
    fn sum(&self, wanted: impl Fn(&PoolLine) -> bool) -> u64 {
        self.lines.iter().filter(|line| wanted(line)).map(|line| u64::from(line.seats.0)).sum()
    }

    fn validity(&self, at: Timestamp) -> Validity {
        if self.lines.iter().any(|line| line.is_valid(at)) {
            return Validity::Now;
        }
        let waiting =
            self.lines.iter().filter(|line| !line.has_ended(at)).filter_map(|line| line.starts).min();
        match waiting {
            Some(date) => Validity::Later(date),
            None => Validity::Over(self.last_day()),
        }
    }

    fn last_day(&self) -> Option<Date> {
        let last = self.lines.iter().map(|line| line.expiry).max();
        last.and_then(|expiry| match expiry {
            Expiry::On(date) => Some(date),
            Expiry::Permanent => None,
        })
    }
}

/// One pool: its terms and the seats that are out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pool {
    /// Seats out now. Wider than [`Seats`] because an uncounted pool has no limit.
    pub(crate) in_use: u64,
    /// Seats that were out when the license was installed, and may stay out even if it gives fewer.
    pub(crate) carried: u64,
    pub(crate) terms: Arc<PoolTerms>,
}

impl Pool {
    fn has_room(&self, seats: Seats, at: Timestamp) -> bool {
        match self.terms.licensed(at) {
            None => true,
            Some(licensed) => {
                let licensed = licensed + u64::from(planted(Mutant::OneSeatMore));
                self.in_use.saturating_add(u64::from(seats.0)) <= licensed
            }
        }
    }
}

/// Where to find pools: derived from the license, shared by all clones of a state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Catalog {
    /// All pools of the license in file order.
    pub(crate) order: Vec<PoolId>,
    /// The pools of each feature in the order in which they are tried.
    pub(crate) features: BTreeMap<String, Vec<PoolId>>,
    /// Moments at which some line starts or expires, ascending, in ms since the epoch.
    deadlines: Vec<u64>,
}

impl Catalog {
    /// The first moment after `at` at which some line starts or expires.
    pub(crate) fn next_deadline(&self, at: Timestamp) -> Option<Timestamp> {
        let past = self.deadlines.partition_point(|deadline| *deadline <= at.0);
        self.deadlines.get(past).copied().map(Timestamp)
    }
}

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
            let rank = Rank {
                sort: line.sort,
                kind: line.kind,
                counted: line.count != Count::Uncounted,
                version: line.version.clone(),
                made: Reverse(line.issued.or(line.starts)),
                place,
            };
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

    /// Puts this layout in place of the `old` pools. Those with an equal key keep their id and their seats; those
    /// that are gone stay without licensed seats while seats are out. New pools take the lowest numbers that are
    /// not taken.
    pub(crate) fn replacing(self, old: &OrdMap<PoolId, Pool>) -> (OrdMap<PoolId, Pool>, Catalog) {
        let mut by_key: BTreeMap<&PoolKey, (PoolId, &Pool)> =
            old.iter().map(|(id, pool)| (&pool.terms.key, (*id, pool))).collect();
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

/// The pool that serves a checkout: the first of the feature's `pools` that satisfies the version, is valid and has
/// room. If there is none, the first reason that applies, in the order of [`Denial`].
pub(crate) fn choose<'a>(
    pools: impl Iterator<Item = (PoolId, &'a Pool)> + Clone,
    feature: &str,
    version: &Version,
    seats: Seats,
    at: Timestamp,
) -> Result<PoolId, Denial> {
    let sufficient = pools.clone().filter(|(_, pool)| *version <= pool.terms.version);
    let valid = sufficient.clone().filter(|(_, pool)| matches!(pool.terms.validity(at), Validity::Now));
    if let Some((id, _)) = valid.clone().find(|(_, pool)| pool.has_room(seats, at)) {
        return Ok(id);
    }
    let feature = feature.to_owned();
    if sufficient.clone().next().is_none() {
        let highest = pools.map(|(_, pool)| &pool.terms.version).max();
        let licensed = highest.map(|version| version.as_str().to_owned()).unwrap_or_default();
        return Err(Denial::VersionNotLicensed { feature, requested: version.as_str().to_owned(), licensed });
    }
    if valid.clone().next().is_none() {
        return Err(not_valid(sufficient.map(|(_, pool)| pool), feature, at));
    }
    // An uncounted pool would have had room, so all that are left are counted.
    let counted = valid.filter_map(|(_, pool)| Some((pool.in_use, pool.terms.licensed(at)?)));
    let most = counted.clone().map(|(_, licensed)| licensed).max().unwrap_or(0);
    let fitting = counted.filter(|(_, licensed)| *licensed >= u64::from(seats.0)).last();
    Err(match fitting {
        None => Denial::MoreThanLicensed { feature, requested: seats, licensed: narrow(most) },
        Some((in_use, licensed)) => Denial::NoFreeSeats {
            feature,
            requested: seats,
            in_use: narrow(in_use),
            licensed: narrow(licensed),
        },
    })
}

/// Why none of these pools is valid: the day the next one starts, or, if all are over, the day the last one ended.
fn not_valid<'a>(pools: impl Iterator<Item = &'a Pool>, feature: String, at: Timestamp) -> Denial {
    let (mut next, mut last) = (None::<Date>, None::<Date>);
    for pool in pools {
        match pool.terms.validity(at) {
            Validity::Now => {}
            Validity::Later(date) => next = Some(next.map_or(date, |known| known.min(date))),
            Validity::Over(date) => last = last.max(date),
        }
    }
    match next {
        Some(date) => Denial::NotStarted { feature, starts: date.to_string() },
        None => Denial::Expired { feature, expired: last.map(|date| date.to_string()).unwrap_or_default() },
    }
}

/// A sum as [`Seats`], at most the largest number of them.
pub(crate) fn narrow(seats: u64) -> Seats {
    Seats(u32::try_from(seats).unwrap_or(u32::MAX))
}
