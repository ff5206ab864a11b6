//! Taking seats.

use super::check_text;
use crate::applying::Applying;
use crate::command::MAX_NAME_BYTES;
use crate::event::EventKind;
use crate::holding::Checkout;
use crate::id::{Handle, Seats, SessionId};
use crate::license::Version;
use crate::outcome::{Denial, Outcome};
use crate::rules::{Ask, choose};
use crate::state::State;

impl State {
    pub(crate) fn check_out(
        &mut self,
        session: SessionId,
        feature: &str,
        version: &str,
        seats: Seats,
        applying: &mut Applying,
    ) -> Result<Outcome, Denial> {
        check_text("feature name", feature)?;
        check_text("version", version)?;
        if seats == Seats(0) {
            return Err(Denial::InvalidParameter {
                what: "0 seats asked for: ask for at least 1".to_owned(),
            });
        }
        let bad_version = |_| Denial::BadVersion { version: version.to_owned() };
        let needed: Version = version.parse().map_err(bad_version)?;
        if self.license.is_none() {
            return Err(Denial::NoLicense);
        }
        let unknown = || Denial::UnknownFeature { feature: feature.to_owned() };
        let ids = self.catalog.features.get(feature).ok_or_else(unknown)?;
        let pools = ids.iter().filter_map(|id| Some((*id, self.pools.get(id)?)));
        let ask = Ask { feature, version: &needed, seats, at: self.clock };
        let pool = choose(pools, &ask)?;

        let handle = Handle(applying.index.0);
        let licensed = self.pools.get(&pool).map(|pool| &pool.terms.version_text);
        let version = match licensed {
            Some(text) if **text == *version => text.clone(),
            _ => version.into(),
        };
        let checkout = Checkout { session, pool, seats, version, since: applying.at };
        applying.record(EventKind::Out(self.holding(handle, &checkout)));
        self.take(handle, checkout);
        Ok(Outcome::Granted { handle, seats })
    }

    pub(crate) fn record_denied(
        &self,
        session: SessionId,
        feature: &str,
        seats: Seats,
        denial: &Denial,
        applying: &mut Applying,
    ) {
        let asker = self.sessions.get(&session).map(|session| &session.identity);
        applying.record(EventKind::Denied {
            // What is longer was refused for its length; events are kept, so they do not keep the rest of it.
            feature: shortened(feature).to_owned(),
            seats,
            user: asker.map(|who| who.user.clone()).unwrap_or_default(),
            host: asker.map(|who| who.host.clone()).unwrap_or_default(),
            denial: denial.clone(),
        });
    }
}

/// As many whole characters of the text as fit into [`MAX_NAME_BYTES`].
fn shortened(text: &str) -> &str {
    let end = (0..=MAX_NAME_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}
