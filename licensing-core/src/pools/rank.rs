//! The order in which the pools of a feature are tried.
//!
//! Source: FLEXnet License Administration Guide, "Order of Lines in the License File".

use std::cmp::Reverse;

use crate::license::{Count, Date, FeatureKind, FeatureLine, Version};

/// Place of a line in the order in which pools are tried, fields in order of weight: `sort=`, FEATURE before
/// INCREMENT, uncounted before counted, lowest version first (the lowest sufficient version wastes least), made last
/// first, then file order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    sort: u32,
    kind: FeatureKind,
    counted: bool,
    version: Version,
    made: Reverse<Option<Date>>,
    place: usize,
}

impl Rank {
    /// Of the line at that place of the file.
    pub(crate) fn of(place: usize, line: &FeatureLine) -> Rank {
        Rank {
            sort: line.sort,
            kind: line.kind,
            counted: line.count != Count::Uncounted,
            version: line.version.clone(),
            made: Reverse(line.issued.or(line.starts)),
            place,
        }
    }
}
