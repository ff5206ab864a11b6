//! What a search path may be made of, and how much of it.

/// Longest search path, in bytes: room for every site below with long names.
pub const MAX_PATH_BYTES: usize = 8192;

/// Most independent sites in one path: each costs up to seconds when it is dead, so a longer list would never be
/// searched to its end within a reconnect timeout.
pub const MAX_SITES: usize = 32;
