//! Snapshots: plain files beside the log, one at a time. A snapshot is written once, read once and thrown away as a whole,
//! and may be large; in a file of its own it holds up no entry (ADR 0006).
//!
//! A snapshot file is a record of its own: magic, format version, length of the description, the description (log
//! id and membership), the state, and a CRC-32C over all of it. It is written to a temporary name, synced, renamed.

use std::fs::{self, File};
use std::future::Future;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;

use bytes::Bytes;
use licensing_core::codec;
use licensing_core::mutant::{Mutant, planted};

use crate::engine::runtime::off_thread;
use crate::engine::types::SnapshotMeta;
use crate::store::contents::Damage;
use crate::store::files::sync_directory;

const MAGIC: &[u8; 4] = b"LSNP";
/// Format of snapshot files.
pub const VERSION: u8 = 1;
const PREFIX: &str = "snapshot-";

/// So much of a snapshot goes to the disk at a time, in bytes: a commit of the log that comes meanwhile waits behind this
/// much, not behind all of it.
const SYNC_EVERY: usize = 1 << 20;

/// A step of disk work that does not hold up the caller's thread.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Where the newest snapshot is kept.
pub(crate) trait SnapshotShelf: Send + Sync {
    /// Durable on return; older ones are gone.
    fn save(&self, meta: SnapshotMeta, state: Bytes) -> Work<()>;
    /// The newest, verified.
    fn load(&self) -> Work<Option<(SnapshotMeta, Bytes)>>;
}

/// A shelf in the data directory.
#[derive(Clone)]
pub(crate) struct FileShelf {
    directory: PathBuf,
}

impl FileShelf {
    pub(crate) fn new(directory: &Path) -> FileShelf {
        FileShelf { directory: directory.to_owned() }
    }

    /// Verifies the newest snapshot and returns the index of its last entry.
    pub(crate) fn check(&self) -> Result<Option<u64>, Damage> {
        let loaded = self.read_newest().map_err(|error| Damage(error.to_string()))?;
        Ok(loaded.and_then(|(meta, _)| meta.last_log_id).map(|id| id.index))
    }

    fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for file in fs::read_dir(&self.directory)? {
            let file = file?;
            if file.file_name().to_string_lossy().starts_with(PREFIX) {
                paths.push(file.path());
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn read_newest(&self) -> io::Result<Option<(SnapshotMeta, Bytes)>> {
        match self.paths()?.pop() {
            Some(path) => read_file(&path).map(Some),
            None => Ok(None),
        }
    }

    fn write_file(&self, meta: &SnapshotMeta, state: &Bytes) -> io::Result<()> {
        let index = meta.last_log_id.map_or(0, |id| id.index);
        let name = format!("{PREFIX}{index:020}");
        let temporary = self.directory.join(format!("new-{name}"));
        let mut file = File::create(&temporary)?;
        let header = header(meta);
        file.write_all(&header)?;
        for part in state.chunks(SYNC_EVERY) {
            file.write_all(part)?;
            file.sync_data()?;
        }
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&header), state);
        file.write_all(&checksum.to_le_bytes())?;
        if !planted(Mutant::SnapshotNotSynced) {
            file.sync_all()?;
        }
        let path = self.directory.join(name);
        fs::rename(&temporary, &path)?;
        sync_directory(&self.directory)?;
        for old in self.paths()?.into_iter().filter(|old| *old != path) {
            fs::remove_file(old)?;
        }
        Ok(())
    }
}

impl SnapshotShelf for FileShelf {
    fn save(&self, meta: SnapshotMeta, state: Bytes) -> Work<()> {
        let shelf = self.clone();
        Box::pin(async move { off_thread(move || shelf.write_file(&meta, &state)).await? })
    }

    fn load(&self) -> Work<Option<(SnapshotMeta, Bytes)>> {
        let shelf = self.clone();
        Box::pin(async move { off_thread(move || shelf.read_newest()).await? })
    }
}

/// What stands before the state in a snapshot file.
pub(crate) fn header(meta: &SnapshotMeta) -> Vec<u8> {
    let description = codec::to_bytes(meta);
    let mut header = Vec::with_capacity(description.len() + 9);
    header.extend_from_slice(MAGIC);
    header.push(VERSION);
    header.extend_from_slice(&(description.len() as u32).to_le_bytes());
    header.extend_from_slice(&description);
    header
}

fn read_file(path: &Path) -> io::Result<(SnapshotMeta, Bytes)> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    parse(bytes)
        .map_err(|problem| io::Error::other(format!("the snapshot {} is damaged: {problem}", path.display())))
}

/// The description and the state in the bytes of a snapshot file; or what is wrong with them.
pub(crate) fn parse(bytes: Vec<u8>) -> Result<(SnapshotMeta, Bytes), String> {
    let too_short = || "it is too short".to_owned();
    let (body, checksum) = bytes.split_last_chunk::<4>().ok_or_else(too_short)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) && !planted(Mutant::SnapshotNotChecked) {
        return Err("its checksum is wrong".to_owned());
    }
    let rest = body.strip_prefix(MAGIC).ok_or("it does not begin as one")?;
    let (version, rest) = rest.split_first().ok_or_else(too_short)?;
    if *version != VERSION {
        return Err(format!("it has format version {version}, this program reads {VERSION}"));
    }
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(too_short)?;
    let length = u32::from_le_bytes(*length) as usize;
    let description = rest.get(..length).ok_or("its description is cut off")?;
    let meta = codec::from_bytes(description, "snapshot description").map_err(|error| error.to_string())?;
    let (start, end) = (body.len() - rest.len() + length, body.len());
    Ok((meta, Bytes::from(bytes).slice(start..end)))
}
