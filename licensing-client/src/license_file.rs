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
    /// The options file that belongs to it: named on the VENDOR line, or `<vendor>.opt` beside it. It is not applied yet.
    pub options: Option<PathBuf>,
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
    /// It is no text.
    #[error("{} is {what}, not text: save it as UTF-8, or as the plain text the publisher sent", path.display())]
    NotText {
        /// Which one.
        path: PathBuf,
        /// What it looks like.
        what: &'static str,
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
    /// do; UTF-16, as editors on Windows save it, is read when it says so in its first two bytes.
    pub fn read(path: &Path) -> Result<LicenseFile, LicenseFileError> {
        let cannot_read = |source| LicenseFileError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(cannot_read)?;
        let mut bytes = Vec::new();
        // One byte more than the parser takes: a device or a disk image is refused, not read to its end.
        file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(cannot_read)?;
        let not_text = |what| LicenseFileError::NotText { path: path.to_owned(), what };
        let text = text(bytes).map_err(not_text)?;
        match License::parse(&text) {
            Ok(license) => {
                let options = options_of(path, &license);
                Ok(LicenseFile { path: path.to_owned(), text, license, options })
            }
            Err(errors) => Err(LicenseFileError::Syntax { path: path.to_owned(), errors }),
        }
    }

    /// What an administrator should know of it, one sentence each: what looked suspicious, and what is not applied.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let path = self.path.display();
        let found = self.license.warnings.iter().map(move |warning| format!("{path}:{warning}"));
        found.chain(self.unapplied())
    }

    /// That the options file is not applied, where there is one.
    pub fn unapplied(&self) -> Option<String> {
        let options = self.options.as_ref()?.display();
        Some(format!(
            "{}: the options file {options} is not applied: its rules do not count yet",
            self.path.display()
        ))
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

/// The text that these bytes are; otherwise what they look like.
fn text(bytes: Vec<u8>) -> Result<String, &'static str> {
    let units: fn([u8; 2]) -> u16 = match bytes.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ if bytes.contains(&0) => {
            // Every second byte of Latin letters is zero.
            let zeros = bytes.iter().filter(|byte| **byte == 0).count();
            return Err(if zeros * 3 > bytes.len() {
                "UTF-16 without a byte-order mark"
            } else {
                "a binary file"
            });
        }
        _ => {
            let latin_1 =
                |error: std::string::FromUtf8Error| error.into_bytes().into_iter().map(char::from).collect();
            return Ok(String::from_utf8(bytes).unwrap_or_else(latin_1));
        }
    };
    let (pairs, rest) = bytes[2..].as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().copied().map(units)).collect();
    text.ok().filter(|_| rest.is_empty()).ok_or("damaged UTF-16")
}

/// The options file a license asks for, or that lies where one is looked for (FlexNet License Administration Guide, VENDOR
/// Lines).
fn options_of(path: &Path, license: &License) -> Option<PathBuf> {
    let vendor = license.vendor.as_ref()?;
    let beside = path.with_file_name(format!("{}.opt", vendor.name));
    let named = vendor.options.as_ref().map(PathBuf::from);
    named.or_else(|| beside.is_file().then_some(beside))
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

    const TEXT: &str = "SERVER a ANY 27001\nVENDOR demo\nFEATURE f demo 1.0 permanent 1 SIGN=0\n";

    /// The text as an editor on Windows saves it.
    fn utf_16(unit: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(TEXT.encode_utf16());
        units.flat_map(unit).collect()
    }

    #[test]
    fn utf_16_is_read_when_it_says_so_and_called_by_its_name_otherwise() {
        for unit in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
            let with_mark = file(&utf_16(unit, true));
            assert_eq!(LicenseFile::read(with_mark.path()).unwrap().text, TEXT);
            let without = file(&utf_16(unit, false));
            let error = LicenseFile::read(without.path()).unwrap_err().to_string();
            assert!(
                error.contains("is UTF-16 without a byte-order mark, not text: save it as UTF-8"),
                "{error}"
            );
        }
        let mut cut_off = utf_16(u16::to_le_bytes, true);
        cut_off.pop();
        let error = LicenseFile::read(file(&cut_off).path()).unwrap_err().to_string();
        assert!(error.contains("is damaged UTF-16"), "{error}");
        let error = LicenseFile::read(file(b"\x7fELF\x02\x01\x01\0SERVER").path()).unwrap_err().to_string();
        assert!(error.contains("is a binary file"), "{error}");
    }

    #[test]
    fn an_options_file_is_told_whether_it_is_named_or_lies_beside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lic");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            LicenseFile::read(&path).unwrap().unapplied()
        };
        assert_eq!(read(TEXT), None);
        let named = read(&TEXT.replace("VENDOR demo", "VENDOR demo OPTIONS=/etc/demo.opt")).unwrap();
        assert!(
            named.ends_with(
                "a.lic: the options file /etc/demo.opt is not applied: its rules do not count yet"
            )
        );
        std::fs::write(directory.path().join("demo.opt"), "MAX 1 f USER ann\n").unwrap();
        let beside = read(TEXT).unwrap();
        assert!(beside.contains("demo.opt is not applied"), "{beside}");
    }
}
