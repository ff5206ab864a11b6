//! What a judge is asked about.

use crate::id::{Seats, Timestamp};
use crate::license::Version;

/// What is asked for.
pub(crate) struct Ask<'a> {
    /// The name of the feature.
    pub(crate) feature: &'a str,
    /// The version needed.
    pub(crate) version: &'a Version,
    /// How many seats, all or none.
    pub(crate) seats: Seats,
    /// When.
    pub(crate) at: Timestamp,
}
