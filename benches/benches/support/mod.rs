//! What the benches work on. Each of them uses a part of it.
#![allow(dead_code)]

pub(crate) mod log_thread;
pub(crate) mod plain_file;
pub(crate) mod site;
pub(crate) mod sled_log;

/// A server whose state is small takes a snapshot every so many entries and then purges all but the last [`KEPT`].
pub(crate) const PURGE_EVERY: u64 = 5000;
/// See [`PURGE_EVERY`].
pub(crate) const KEPT: u64 = 20_000;
