//! The licenses that are served, and their pools.

use crate::id::{PoolId, Seats, Timestamp};
use crate::pools::terms::Validity;
use crate::pools::{Pool, narrow};
use crate::state::State;
use crate::vendor::InstalledLicense;

/// One pool, at the state's time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolView<'a> {
    /// Its name inside this state.
    pub id: PoolId,
    /// The feature whose seats it counts.
    pub feature: &'a str,
    /// Highest version it serves, as the license writes it.
    pub version: &'a str,
    /// The publisher, as on the feature line.
    pub vendor: &'a str,
    /// Seats of the lines that are valid now; `None` when they are not counted. 0 for a pool that a newer license
    /// does not mention and whose last seats are still out.
    pub licensed: Option<Seats>,
    /// Seats out. May exceed `licensed` after lines expired or a smaller license was installed.
    pub in_use: Seats,
    /// Last day of the line that lasts longest, such as `31-dec-2099`, or `permanent`.
    pub expires: String,
    /// Whether one of its lines gives seats now.
    pub validity: Validity,
    /// Node lock, as the license writes it.
    pub host_id: Option<String>,
}

impl State {
    /// The license that is served for a vendor; `None` when there is none.
    pub fn license(&self, vendor: &str) -> Option<&InstalledLicense> {
        self.vendors.get(vendor).map(|vendor| vendor.installed.as_ref())
    }

    /// The licenses that are served, by the names of their vendors.
    pub fn licenses(&self) -> impl Iterator<Item = (&str, &InstalledLicense)> {
        self.vendors.iter().map(|(name, vendor)| (name.as_ref(), vendor.installed.as_ref()))
    }

    /// Whether any license is served.
    pub fn is_licensed(&self) -> bool {
        !self.vendors.is_empty()
    }

    /// All pools, by the names of their vendors and in license file order, then those that are gone from their license
    /// but still have seats out.
    pub fn pools(&self) -> impl Iterator<Item = PoolView<'_>> {
        let orders = self.vendors.values().flat_map(|vendor| &vendor.catalog.order);
        let listed = orders.filter_map(|id| Some((*id, self.pools.get(id)?)));
        let retired =
            self.pools.iter().filter(|(_, pool)| pool.terms.is_retired()).map(|(id, pool)| (*id, pool));
        listed.chain(retired).map(|(id, pool)| self.pool_view(id, pool))
    }

    /// One pool; `None` when there is none with this id now.
    pub fn pool(&self, id: PoolId) -> Option<PoolView<'_>> {
        self.pools.get(&id).map(|pool| self.pool_view(id, pool))
    }

    /// The next moment at which a license line starts or expires: the master proposes a `Tick` then, so that the
    /// state's clock reaches it without traffic. `None` when nothing is ahead.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.vendors.values().filter_map(|vendor| vendor.catalog.next_deadline(self.clock)).min()
    }

    fn pool_view<'a>(&self, id: PoolId, pool: &'a Pool) -> PoolView<'a> {
        let terms = &pool.terms;
        PoolView {
            id,
            feature: &terms.key.feature,
            version: &terms.version_text,
            vendor: &terms.vendor,
            licensed: terms.licensed(self.clock).map(narrow),
            in_use: narrow(pool.in_use),
            expires: terms.expires.clone(),
            validity: terms.validity(self.clock),
            host_id: terms.host_id.clone(),
        }
    }
}
