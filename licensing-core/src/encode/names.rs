//! What bytes are of, as errors say it.

/// A whole state.
pub(super) const STATE: &str = "state";

/// An entry of the log.
pub(super) const PROPOSAL: &str = "proposal";
