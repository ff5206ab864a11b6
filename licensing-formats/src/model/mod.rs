//! What a license file says, whichever dialect it was written in.

mod feature;
mod license;
mod server;
mod triad;
mod vendor;

pub use feature::{Count, DEFAULT_SORT, FeatureKind, FeatureLine};
pub use license::License;
pub use server::{HeartbeatInterval, ServerLine};
pub use triad::TriadIdentity;
pub use vendor::VendorLine;
