//! Addresses in a file: a line for each host, its name and the address that worked last.

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The first line; a file that begins otherwise is somebody else's, or of a later version.
const HEADING: &str = "# licensing addresses 1";

/// Longer files are none of ours: the hosts that are kept take a few kilobytes.
const LONGEST: u64 = 64 << 10;

/// What stands in the file; nothing when it cannot be read. A line that says nothing is passed over.
pub(super) fn read(file: &Path) -> Vec<(String, IpAddr)> {
    let is_short = fs::metadata(file).is_ok_and(|metadata| metadata.len() <= LONGEST);
    let text = if is_short { fs::read_to_string(file).unwrap_or_default() } else { String::new() };
    let mut lines = text.lines();
    if lines.next() != Some(HEADING) {
        return Vec::new();
    }
    let entry = |line: &str| {
        let (name, address) = line.split_once(' ')?;
        Some((name.to_owned(), address.parse().ok()?))
    };
    lines.filter_map(entry).collect()
}

/// Replaces the file: whoever reads it meanwhile reads the old one or the new one.
pub(super) fn write<'a>(file: &Path, hosts: impl Iterator<Item = (&'a str, IpAddr)>) -> io::Result<()> {
    let Some(directory) = file.parent() else { return Err(io::ErrorKind::InvalidInput.into()) };
    fs::create_dir_all(directory)?;
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let written = fs::File::create(&beside).and_then(|mut new| {
        let lines: String = hosts.map(|(name, address)| format!("{name} {address}\n")).collect();
        write!(new, "{HEADING}\n{lines}")?;
        fs::rename(&beside, file)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Where programs of this user keep such things.
pub(super) fn file_of_the_user() -> Option<PathBuf> {
    let directory = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = directory("XDG_CACHE_HOME")
        .or_else(|| directory("LOCALAPPDATA"))
        .or_else(|| Some(directory("HOME")?.join(".cache")))?;
    Some(cache.join("licensing").join("addresses"))
}
