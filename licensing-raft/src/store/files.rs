//! Small things about files.

use std::io;
use std::path::Path;

use crate::error::StartError;

/// An I/O error at the start of a server, with what was tried on which path.
pub(crate) fn io_error(action: &'static str, path: &Path, source: io::Error) -> StartError {
    StartError::Io { action, path: path.to_owned(), source }
}

/// Makes a new or renamed directory entry durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}
