//! Taking seats.

use super::check_text;
use crate::apply::applying::Applying;
use crate::command::{Extra, MAX_NAME_BYTES};
use crate::event::EventKind;
use crate::holding::{Checkout, Keeper};
use crate::id::{Handle, PoolId, Seats, SessionId};
use crate::license::Version;
use crate::outcome::{Denial, Outcome};
use crate::pools::Pool;
use crate::rules::{Ask, choose};
use crate::state::State;
use crate::vendor_data::check_length;

/// What a session wants, in its own words.
pub(super) struct Wanted<'a> {
    pub(super) vendor: Option<&'a str>,
    pub(super) feature: &'a str,
    pub(super) version: &'a str,
    pub(super) seats: Seats,
    pub(super) extras: &'a [Extra],
}

impl Wanted<'_> {
    /// What each kind of extra says.
    fn vendor_data(&self) -> Result<&[u8], Denial> {
        match self.extras {
            [] => Ok(&[]),
            [Extra::VendorData(data)] => check_length(data).map(|()| data.as_slice()),
            several => {
                let what =
                    format!("{} things are said besides, one of them twice: say each once", several.len());
                Err(Denial::InvalidParameter { what })
            }
        }
    }
}

impl State {
    pub(super) fn check_out_or_record(
        &mut self,
        session: SessionId,
        wanted: &Wanted,
        applying: &mut Applying,
    ) -> Result<Outcome, Denial> {
        let decision = self.check_out(session, wanted, applying);
        if let Err(denial) = &decision {
            self.record_denied(session, wanted.feature, wanted.seats, denial, applying);
        }
        decision
    }

    fn check_out(
        &mut self,
        session: SessionId,
        wanted: &Wanted,
        applying: &mut Applying,
    ) -> Result<Outcome, Denial> {
        let Wanted { feature, version, seats, .. } = *wanted;
        if let Some(vendor) = wanted.vendor {
            check_text("vendor name", vendor)?;
        }
        check_text("feature name", feature)?;
        check_text("version", version)?;
        if seats == Seats(0) {
            return Err(Denial::InvalidParameter {
                what: "0 seats asked for: ask for at least 1".to_owned(),
            });
        }
        let vendor_data = wanted.vendor_data()?;
        let bad_version = |_| Denial::BadVersion { version: version.to_owned() };
        let needed: Version = version.parse().map_err(bad_version)?;
        let ask = Ask { feature, version: &needed, seats, at: self.clock };
        let pool = choose(self.candidates(wanted.vendor, feature)?, &ask)?;
        self.vendor_data.has_room(vendor_data, 0)?;

        // Who asks is there: the call was admitted.
        let holder = self.sessions.get(&session).map(|session| session.holder.clone());
        let holder = holder.ok_or(Denial::UnknownSession { session })?;
        let handle = Handle(applying.index.0);
        let licensed = self.pools.get(&pool).map(|pool| &pool.terms.version_text);
        let version = match licensed {
            Some(text) if **text == *version => text.clone(),
            _ => version.into(),
        };
        let keeper = Keeper::Session(session);
        let checkout = Checkout { holder, keeper, pool, seats, version, since: applying.at };
        self.vendor_data.set_checkout(handle, vendor_data);
        applying.record(EventKind::Out(self.holding(handle, &checkout)));
        self.take(handle, checkout);
        Ok(Outcome::Granted { handle, seats })
    }

    /// The pools of a feature in rank order, of one vendor or of all.
    fn candidates(
        &self,
        vendor: Option<&str>,
        feature: &str,
    ) -> Result<impl Iterator<Item = (PoolId, &Pool)>, Denial> {
        if self.vendors.is_empty() {
            return Err(Denial::NoLicense);
        }
        if let Some(vendor) = vendor
            && !self.vendors.contains_key(vendor)
        {
            return Err(Denial::UnknownVendor { vendor: vendor.to_owned() });
        }
        let asked =
            self.vendors.iter().filter(move |(name, _)| vendor.is_none_or(|vendor| ***name == *vendor));
        let lists = asked.filter_map(|(_, vendor)| vendor.catalog.features.get(feature));
        let mut lists = lists.peekable();
        if lists.peek().is_none() {
            return Err(Denial::UnknownFeature { feature: feature.to_owned() });
        }
        Ok(lists.flatten().filter_map(|id| Some((*id, self.pools.get(id)?))))
    }

    fn record_denied(
        &self,
        session: SessionId,
        feature: &str,
        seats: Seats,
        denial: &Denial,
        applying: &mut Applying,
    ) {
        let asker = self.sessions.get(&session).map(|session| &session.holder.identity);
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
