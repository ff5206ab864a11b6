//! When silent sessions end.

pub(crate) mod expiry;
pub(crate) mod grace;
pub(crate) mod signs_of_life;
