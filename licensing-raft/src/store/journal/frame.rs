//! What one frame of a journal says, and the files they stand in.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::types::LogId;

/// Length in front of a record; a zero one ends the frames of a file.
pub(super) const LENGTH_BYTES: usize = 4;

/// What one frame says.
#[derive(Serialize, Deserialize)]
pub(super) struct Frame<C> {
    /// Number of the file it was written for.
    pub(super) file: u64,
    /// Checksum of the frame before it, in this file or the one before; 0 for the first of all.
    pub(super) after: u32,
    /// The last entry that a snapshot had replaced by then.
    pub(super) purged: Option<LogId>,
    /// The last entry known to be committed by then.
    pub(super) committed: Option<LogId>,
    pub(super) change: C,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Change<E> {
    Nothing,
    /// Behind the last one.
    Append(E),
    /// The entries from here on are gone.
    Truncate(u64),
}

/// Twenty digits, so that names sort as numbers do.
pub(super) fn file_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}"))
}
