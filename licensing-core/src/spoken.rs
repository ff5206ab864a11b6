//! Versions of a protocol, which both ends of a connection must have one of in common.

/// The newest version that both ends speak, each given as its oldest and newest; `None` when there is none.
pub fn common_version(theirs: (u16, u16), ours: (u16, u16)) -> Option<u16> {
    let newest = theirs.1.min(ours.1);
    (newest >= theirs.0.max(ours.0)).then_some(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_both_speak_is_taken() {
        for (theirs, ours, expected) in [
            ((1, 1), (1, 1), Some(1)),
            ((1, 2), (2, 3), Some(2)),
            ((1, 3), (1, 2), Some(2)),
            ((1, 1), (2, 3), None),
            ((3, 4), (1, 2), None),
        ] {
            assert_eq!(common_version(theirs, ours), expected, "{theirs:?} meets {ours:?}");
        }
    }
}
