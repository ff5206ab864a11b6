//! Installing a license.

use std::sync::Arc;

use super::count;
use crate::applying::Applying;
use crate::event::EventKind;
use crate::license::License;
use crate::outcome::{Denial, Outcome};
use crate::pools::layout::Layout;
use crate::state::{InstalledLicense, State};

impl State {
    /// Installs a license. What is out stays out, also when the new license gives fewer seats.
    pub(crate) fn install(&mut self, text: &str, applying: &mut Applying) -> Result<Outcome, Denial> {
        if self.license.as_ref().is_some_and(|installed| *installed.text == *text) {
            return Ok(Outcome::Installed { pools: count(self.catalog.order.len()) });
        }
        let parsed =
            License::parse(text).map_err(|errors| Denial::BadLicense { problems: errors.to_string() })?;
        if let Some(installed) = &self.license {
            let (old, new) = (installed.parsed.triad_identity(), parsed.triad_identity());
            if old != new {
                let problems = format!("it is for other servers ({new}) than the installed license ({old})");
                return Err(Denial::BadLicense { problems });
            }
        }
        let (pools, catalog) = Layout::of(&parsed).replacing(&self.pools);
        let made = count(catalog.order.len());
        self.pools = pools;
        self.catalog = Arc::new(catalog);
        self.license = Some(Arc::new(InstalledLicense {
            text: text.into(),
            parsed: Arc::new(parsed),
            installed_at: applying.index,
        }));
        applying.record(EventKind::LicenseInstalled { pools: made });
        Ok(Outcome::Installed { pools: made })
    }
}
