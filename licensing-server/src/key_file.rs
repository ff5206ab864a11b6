//! Key files: 64 hex digits in a file only its owner may read. Peers and administrators use the same format.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use licensing_client::AdminKey;
use licensing_raft::PeerKey;

/// Longest key file read: 64 digits, with blanks, line ends and an accident around them.
const MAX_BYTES: u64 = 4096;

/// A key file that cannot be used or made.
#[derive(Debug, thiserror::Error)]
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
    /// The operating system gave no random bytes.
    #[error("{0}")]
    Randomness(String),
}

/// The peers' key in this file.
pub fn read_peer_key(path: &Path) -> Result<PeerKey, KeyFileError> {
    PeerKey::parse(&read(path)?).map_err(|error| content(path, &error))
}

/// The administrators' key in this file.
pub fn read_admin_key(path: &Path) -> Result<AdminKey, KeyFileError> {
    AdminKey::parse(&read(path)?).map_err(|error| content(path, &error))
}

/// A new key as 64 hex digits.
pub fn generate() -> Result<String, KeyFileError> {
    PeerKey::generate().map(|key| key.to_hex()).map_err(|error| KeyFileError::Randomness(error.to_string()))
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

fn read(path: &Path) -> Result<String, KeyFileError> {
    let mut text = String::new();
    let file = std::fs::File::open(path);
    let read =
        file.and_then(|file| io::Read::read_to_string(&mut io::Read::take(file, MAX_BYTES), &mut text));
    match read {
        Ok(_) => Ok(text),
        Err(source) => Err(KeyFileError::Read { path: path.to_owned(), source }),
    }
}

fn content(path: &Path, problem: &dyn std::fmt::Display) -> KeyFileError {
    KeyFileError::Content { path: path.to_owned(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_file_is_private_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peer.key");
        let key = generate().unwrap();
        write_new(&path, &key).unwrap();
        assert!(!is_open_to_others(&path));
        assert_eq!(read_peer_key(&path).unwrap().to_hex(), key);
        assert!(read_admin_key(&path).is_ok(), "one format for both");
        let error = write_new(&path, "other").unwrap_err().to_string();
        assert_eq!(error, format!("key file {} exists already and is left as it is", path.display()));
        assert_eq!(read_peer_key(&path).unwrap().to_hex(), key);
    }

    #[test]
    fn a_file_without_a_key_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peer.key");
        std::fs::write(&path, "abc").unwrap();
        let error = read_peer_key(&path).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("key file {}: a peer key is 64 hex digits, this text has 3 characters", path.display())
        );
        let error = read_admin_key(&directory.path().join("none")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read key file "), "{error}");
    }
}
