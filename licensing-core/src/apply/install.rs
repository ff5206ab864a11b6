//! Installing a vendor's license.

use std::sync::Arc;

use super::count;
use crate::apply::applying::Applying;
use crate::command::Install;
use crate::digest::Digest;
use crate::edition::Edition;
use crate::encode::compiled;
use crate::event::EventKind;
use crate::installing::staging::Staging;
use crate::license::Compiled;
use crate::outcome::{Denial, Outcome};
use crate::pools::layout::{Laid, Layout, MAX_POOLS};
use crate::state::State;
use crate::vendor::{InstalledLicense, Vendor};

impl State {
    /// Installs a license. What is out stays out, also when the new license gives fewer seats.
    pub(crate) fn install(&mut self, install: &Install, applying: &mut Applying) -> Result<Outcome, Denial> {
        let (compiled, prepared) = match install {
            Install::Whole(compiled) => (compiled.clone(), None),
            Install::Staged { digest } => self.staged(digest)?,
        };
        let vendor = compiled.license().vendor_name();
        let vendor: Arc<str> = vendor.ok_or_else(|| refused("it has no VENDOR line".to_owned()))?.into();
        check_features(&vendor, &compiled)?;
        if let Some(known) = self.vendors.get(&vendor)
            && known.installed.compiled == compiled
        {
            let pools = count(known.catalog.order.len());
            self.staging = None;
            return Ok(Outcome::Installed { pools });
        }
        self.check_neighbours(&vendor, &compiled)?;
        let laid = prepared.unwrap_or_else(|| Layout::of(compiled.license()).over(&vendor, &self.pools));
        if laid.len() > MAX_POOLS {
            let problem = format!(
                "it makes {} pools with what is served already, at most {MAX_POOLS} are kept: ask the publisher to \
                 combine lines",
                laid.len()
            );
            return Err(refused(problem));
        }
        let (pools, catalog) = laid.with_seats_of(&self.pools);
        let made = count(catalog.order.len());
        self.pools = pools;
        self.aside.pools += 1;
        let installed = Arc::new(InstalledLicense { compiled, installed_at: applying.index });
        self.vendors.insert(vendor.clone(), Vendor { installed, catalog });
        self.staging = None;
        applying.record(EventKind::LicenseInstalled { vendor: vendor.as_ref().to_owned(), pools: made });
        Ok(Outcome::Installed { pools: made })
    }

    /// Keeps a part of a license until an install makes all of them valid.
    pub(crate) fn stage(&mut self, digest: Digest, part: u32, bytes: &[u8]) -> Result<Outcome, Denial> {
        let known = self.staging.as_deref().filter(|staging| part > 0 && staging.digest == digest);
        let mut staging = match known {
            Some(staging) => staging.clone(),
            None if part == 0 => Staging::new(digest),
            None => return Err(Denial::PartsMissing { parts: 0 }),
        };
        staging.add(part, bytes, self.clock)?;
        let parts = count(staging.parts.len());
        self.staging = Some(Arc::new(staging));
        Ok(Outcome::Staged { parts })
    }

    /// The license that came in parts, and the pools it makes if that was worked out beforehand.
    fn staged(&mut self, digest: &Digest) -> Result<(Arc<Compiled>, Option<Laid>), Denial> {
        let prepared = self.aside.take(digest);
        let staging = self.staging.as_deref().filter(|staging| staging.digest == *digest);
        let missing = |parts| Denial::PartsMissing { parts };
        let staging = staging.ok_or(missing(0))?;
        if let Some((compiled, laid)) = prepared
            && staging.is_complete()
        {
            return Ok((compiled, Some(laid)));
        }
        let bytes = staging.joined().ok_or_else(|| missing(count(staging.parts.len())))?;
        let compiled = compiled::from_bytes(&bytes).map_err(|error| refused(error.to_string()))?;
        Ok((Arc::new(compiled), None))
    }

    /// All vendors are served by the same servers.
    fn check_neighbours(&self, vendor: &Arc<str>, compiled: &Compiled) -> Result<(), Denial> {
        let new = compiled.license().triad_identity();
        for (name, known) in &self.vendors {
            let old = known.installed.license().triad_identity();
            if old != new {
                return Err(refused(format!(
                    "it is for other servers ({new}) than the installed license ({old})"
                )));
            }
            if name != vendor && !self.has_edition(Edition::SEVERAL_VENDORS) {
                return Err(refused(format!(
                    "it is for vendor `{vendor}`, and the servers serve `{name}`; edition {} of the rules allows \
                     both: upgrade the servers, then `licensectl upgrade --finish`",
                    Edition::SEVERAL_VENDORS
                )));
            }
        }
        Ok(())
    }
}

/// A reader of license files sees to this already; an entry is judged all the same, for it may come from elsewhere.
fn check_features(vendor: &str, compiled: &Compiled) -> Result<(), Denial> {
    match compiled.license().features.iter().find(|line| line.vendor != vendor) {
        Some(line) => Err(refused(format!(
            "feature `{}` is of vendor `{}`, the license of `{vendor}`",
            line.name, line.vendor
        ))),
        None => Ok(()),
    }
}

fn refused(problems: String) -> Denial {
    Denial::BadLicense { problems }
}
