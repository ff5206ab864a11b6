//! The words that all dialects write alike: days, versions, host ids; and telling which known word a misspelt one meant.

pub(crate) mod date;
pub(crate) mod host_id;
pub(crate) mod spelling;
pub(crate) mod version;

pub use date::{Date, DateError, Expiry};
pub use host_id::{HostId, HostIdError};
pub use version::{MAX_VERSION_CHARACTERS, Version, VersionError};
