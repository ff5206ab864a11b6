//! Key files: 64 hex digits in a file only its owner may read. Peers and administrators use the same format.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use licensing_client::AdminKey;

/// Longest key file read: 64 digits, with blanks, line ends and an accident around them.
const MAX_BYTES: u64 = 4096;

/// A key file that cannot be used or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read key file {}: {source}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Its content is no key.
    #[error("key file {}: {problem}", path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It cannot be written.
    #[error("cannot write key file {}: {source}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is there already: a key that is in use must not be lost by a second call.
    #[error("key file {} exists already and is left as it is", path.display())]
    Exists {
        /// Which one.
        path: PathBuf,
    },
}

/// The key in this file, as its kind of key reads it.
pub fn read<K, E: Display>(path: &Path, parse: impl FnOnce(&str) -> Result<K, E>) -> Result<K, KeyFileError> {
    let mut text = String::new();
    let opened = File::open(path);
    opened
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
        .map_err(|source| KeyFileError::Read { path: path.to_owned(), source })?;
    parse(&text)
        .map_err(|problem| KeyFileError::Content { path: path.to_owned(), problem: problem.to_string() })
}

/// The administrators' key in this file.
pub fn read_admin_key(path: &Path) -> Result<AdminKey, KeyFileError> {
    read(path, AdminKey::parse)
}

/// Writes a key to a new file that only its owner can read.
pub fn write_new(path: &Path, key: &str) -> Result<(), KeyFileError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        writeln!(file, "{key}")?;
        file.sync_all()
    });
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
        _ => KeyFileError::Write { path: path.to_owned(), source },
    })
}

/// Whether others than the owner may read the file: worth a warning, not a refusal, because containers mount their
/// secrets that way.
pub fn is_open_to_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_file_is_private_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peer.key");
        let key = "5a".repeat(32);
        write_new(&path, &key).unwrap();
        assert!(!is_open_to_others(&path));
        assert_eq!(read(&path, |text| Ok::<_, String>(text.trim().to_owned())).unwrap(), key);
        assert!(read_admin_key(&path).is_ok(), "one format for both");
        let error = write_new(&path, "other").unwrap_err().to_string();
        assert_eq!(error, format!("key file {} exists already and is left as it is", path.display()));
        assert_eq!(read(&path, |text| Ok::<_, String>(text.trim().to_owned())).unwrap(), key);
    }

    #[test]
    fn a_file_without_a_key_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peer.key");
        std::fs::write(&path, "abc").unwrap();
        let error =
            read(&path, |text| Err::<(), _>(format!("`{text}` is too short"))).err().unwrap().to_string();
        assert_eq!(error, format!("key file {}: `abc` is too short", path.display()));
        let error = read_admin_key(&directory.path().join("none")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read key file "), "{error}");
    }
}
