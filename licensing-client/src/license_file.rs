//! License files on disk: read with a limit, parsed, and their mistakes told as `file:line:column`.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use licensing_core::license::{Compiled, License, LicenseErrors, MAX_FILE_BYTES};

/// A license file as it was found on disk.
#[derive(Debug, Clone)]
pub struct LicenseFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its whole text.
    pub text: String,
    /// What the text says.
    pub license: License,
}

/// A file that is no license file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LicenseFileError {
    /// It cannot be read.
    #[error("cannot read license file {}: {source}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Its text has errors; each stands on a line of its own.
    #[error("{}", places(path, errors))]
    Syntax {
        /// Which one.
        path: PathBuf,
        /// All that was found.
        errors: LicenseErrors,
    },
}

impl LicenseFile {
    /// Reads and parses a file. License files are 8-bit text: what is not UTF-8 is read as Latin-1, as older servers
    /// do.
    pub fn read(path: &Path) -> Result<LicenseFile, LicenseFileError> {
        let cannot_read = |source| LicenseFileError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(cannot_read)?;
        let mut bytes = Vec::new();
        // One byte more than the parser takes: a device or a disk image is refused, not read to its end.
        file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(cannot_read)?;
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect());
        match License::parse(&text) {
            Ok(license) => Ok(LicenseFile { path: path.to_owned(), text, license }),
            Err(errors) => Err(LicenseFileError::Syntax { path: path.to_owned(), errors }),
        }
    }

    /// What is proposed to serve it: what it says, with its text.
    pub fn compiled(&self) -> Compiled {
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        Compiled::new(self.license.clone(), name.unwrap_or_default(), self.text.clone())
    }

    /// Name of the vendor, empty when the file has none.
    pub fn vendor(&self) -> &str {
        self.license.vendor.as_ref().map_or("", |vendor| &vendor.name)
    }
}

fn places(path: &Path, errors: &LicenseErrors) -> String {
    let mut out = String::new();
    for error in &errors.0 {
        let separator = if out.is_empty() { "" } else { "\n" };
        let _ = write!(out, "{separator}{}:{error}", path.display());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn mistakes_are_told_with_file_line_and_column() {
        let file = file(b"SERVER a ANY 27001\nSERVER b ANY 27002\nVENDOR demo\n");
        let error = LicenseFile::read(file.path()).unwrap_err().to_string();
        let begin = format!("{}:", file.path().display());
        for line in error.lines() {
            let rest = line.strip_prefix(&begin).unwrap_or_else(|| panic!("no file name: {line}"));
            let mut numbers = rest.splitn(3, ':');
            assert!(numbers.next().unwrap().parse::<u32>().is_ok(), "{line}");
            assert!(numbers.next().unwrap().parse::<u32>().is_ok(), "{line}");
        }
        assert!(error.contains("SERVER"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = LicenseFile::read(Path::new("/nowhere/at/all.lic")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read license file /nowhere/at/all.lic: No such file"), "{error}");
    }

    #[test]
    fn latin_1_is_read() {
        let file =
            file(b"# f\xfcr alle\nSERVER a ANY 27001\nVENDOR demo\nFEATURE f demo 1.0 permanent 1 SIGN=0\n");
        assert!(LicenseFile::read(file.path()).unwrap().text.contains("für"));
    }
}
