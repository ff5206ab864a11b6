//! What is served for one vendor.

use std::sync::Arc;

use crate::id::LogIndex;
use crate::license::{Compiled, License};
use crate::pools::catalog::Catalog;

/// A vendor's license and where its pools are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vendor {
    pub(crate) installed: Arc<InstalledLicense>,
    /// Derived from the license.
    pub(crate) catalog: Arc<Catalog>,
}

/// The license that is served for a vendor.
#[derive(Debug, PartialEq, Eq)]
pub struct InstalledLicense {
    /// What its files say, with the files.
    pub compiled: Arc<Compiled>,
    /// The entry that installed it.
    pub installed_at: LogIndex,
}

impl InstalledLicense {
    /// What the files say.
    pub fn license(&self) -> &License {
        self.compiled.license()
    }

    /// The text of the license file.
    pub fn text(&self) -> &str {
        self.compiled.text()
    }
}
