//! The least a log can be: records behind each other in a file whose blocks are all there, made durable with `fdatasync`.
//! It could not be read again after it has gone round: nothing here is a store.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::log_thread::{Engine, PlainEntry, record};

/// Size of the file, in bytes; then it begins from the front. The 25,000 entries a log may reach take less.
const FILE_BYTES: usize = 16 << 20;

/// See the module.
pub(crate) struct PlainFile {
    file: File,
    /// Where the next record goes.
    place: usize,
}

impl PlainFile {
    /// Makes the file with all its blocks.
    pub(crate) fn create(path: &Path) -> io::Result<PlainFile> {
        let file = File::create(path)?;
        file.write_all_at(&vec![1; FILE_BYTES], 0)?;
        file.sync_all()?;
        Ok(PlainFile { file, place: 0 })
    }
}

impl Engine for PlainFile {
    fn commit(&mut self, entries: &[PlainEntry]) -> io::Result<()> {
        let record = record(entries);
        if self.place + record.len() > FILE_BYTES {
            self.place = 0;
        }
        self.file.write_all_at(&record, self.place as u64)?;
        self.place += record.len();
        self.file.sync_data()
    }
}
