//! What is served for a vendor, as data: what its files say, with the files themselves.
//!
//! Files are read once, by whoever proposes to serve them. From then on the model travels and is stored, so that a server
//! whose parser is newer cannot come to another conclusion; the texts come along to be shown and compared.

use serde::{Deserialize, Serialize};

use crate::model::License;
use crate::text::findings::LicenseErrors;

/// The files of one vendor, read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// What they say, without the warnings: those are for whoever reads the files.
    license: License,
    /// The files, the license file first.
    files: Vec<SourceFile>,
}

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its name without folders: what stands before the line number in messages.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Compiled {
    /// A license with the file it was read from.
    pub fn new(license: License, name: impl Into<String>, text: impl Into<String>) -> Compiled {
        let file = SourceFile { name: name.into(), text: text.into() };
        Compiled { license: License { warnings: Vec::new(), ..license }, files: vec![file] }
    }

    /// Reads a license file.
    ///
    /// # Errors
    ///
    /// What [`License::parse`] finds.
    pub fn from_text(name: &str, text: &str) -> Result<Compiled, LicenseErrors> {
        Ok(Compiled::new(License::parse(text)?, name, text))
    }

    /// What the files say.
    pub fn license(&self) -> &License {
        &self.license
    }

    /// The files, the license file first.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The text of the license file.
    pub fn text(&self) -> &str {
        self.files.first().map(|file| file.text.as_str()).unwrap_or_default()
    }
}
