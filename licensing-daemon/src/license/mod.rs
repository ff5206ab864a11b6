//! The license of the triad and this server's file of it: the first install, reading it again, and following what the
//! others install. The property kept: what is served is what the triad has agreed on, never what a file says.

mod difference;
mod fingerprint;
mod follow;
mod install;
mod reread;

use std::sync::Arc;

use licensing_client::license_file::LicenseFile;
use licensing_core::state::State;

pub(crate) use fingerprint::fingerprint;
pub(crate) use follow::follow_installs;
pub(crate) use install::install;
pub(crate) use reread::reread;

/// What that means for a vendor without a file, and what to do.
pub(crate) const NO_FILE: &str = "what was installed is served on; give the servers its file (serve --license), or end it with a \
                                  file that has its VENDOR line and no features";

/// Vendors of whom something is served, and none of these files is.
pub(crate) fn without_file<'a>(
    state: &'a State,
    files: &'a [Arc<LicenseFile>],
) -> impl Iterator<Item = &'a str> {
    let served = state.licenses().filter(|(_, installed)| !installed.license().features.is_empty());
    served.map(|(vendor, _)| vendor).filter(|vendor| !files.iter().any(|file| file.vendor() == *vendor))
}
