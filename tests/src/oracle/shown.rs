//! Comparing what servers showed with what was out at that index.

use std::collections::BTreeMap;

use licensing_core::id::{Handle, LogIndex};

use super::case::{Case, Stranger, whom};
use super::claim;
use super::verdict::At;
use crate::history::{Kind, Read, Told};

impl<'a> Case<'a> {
    /// Compares what a server showed with what was out at that index.
    pub(super) fn shown(&mut self, read: &'a Read) {
        self.verdict.reads += 1;
        let mut missing = self.held.clone();
        let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
        for shown in &read.held {
            *counted.entry(&shown.feature).or_default() += u64::from(shown.seats.0);
            let Some(grant) = missing.remove(&shown.handle) else {
                self.stranger(read, shown.handle, (shown.session, &shown.feature, shown.seats));
                continue;
            };
            if self.is_gone(grant.client, read) {
                let detail = format!(
                    "{} still shows checkout {} of client {}, which fell silent long ago",
                    whom(read),
                    shown.handle,
                    grant.client
                );
                self.report(claim::NO_GHOSTS, read, detail);
            }
            let holder = self.sessions.get(&grant.client).copied();
            // A client of a protocol without names for sessions was never told one.
            let is_anothers = holder.is_some_and(|own| own != shown.session);
            if is_anothers || grant.feature != shown.feature || grant.seats != shown.seats {
                let detail = format!(
                    "{} shows checkout {} as {} of {} in session {}; client {} was granted {} of {}",
                    whom(read),
                    shown.handle,
                    shown.seats,
                    shown.feature,
                    shown.session,
                    grant.client,
                    grant.seats,
                    grant.feature
                );
                self.report(claim::SHOWN_AS_GRANTED, read, detail);
            }
        }
        for (handle, grant) in missing.into_iter().filter(|(_, grant)| !grant.may_be_gone) {
            let detail = format!(
                "{} does not show checkout {handle} ({} of {}), which client {} holds since entry {}",
                whom(read),
                grant.seats,
                grant.feature,
                grant.client,
                grant.index
            );
            self.report(claim::CHECKOUTS_STAY, read, detail);
        }
        for (feature, count) in &read.features {
            let (issued, in_use) = (u64::from(count.issued.0), u64::from(count.in_use.0));
            let sum = counted.get(feature.as_str()).copied().unwrap_or(0);
            if in_use != sum || issued != self.licensed(feature) {
                let detail = format!(
                    "{} counts {in_use} of {issued} for {feature}, shows {sum}, and {} are licensed",
                    whom(read),
                    self.licensed(feature)
                );
                self.report(claim::COUNTS_ARE_RIGHT, read, detail);
            }
            if in_use.max(sum) > issued {
                let detail = format!("{} shows {} of {issued} for {feature}", whom(read), in_use.max(sum));
                self.report(claim::SHOWN_WITHIN_LICENSE, read, detail);
            }
        }
    }

    fn is_gone(&self, client: u32, read: &Read) -> bool {
        let vanished = self.history.vanished.iter().find(|vanished| vanished.client == client);
        vanished.is_some_and(|vanished| vanished.gone_by_us.is_some_and(|gone| read.asked_us >= gone))
    }

    /// A checkout that is shown and is not held by anybody at that index.
    fn stranger(&mut self, read: &'a Read, handle: Handle, stranger: Stranger<'a>) {
        if let Some(returned) = self.returned.get(&handle) {
            let detail =
                format!("{} shows checkout {handle}, which entry {returned} had returned", whom(read));
            self.report(claim::CHECKINS_STAY, read, detail);
        } else {
            self.strangers.entry(stranger).or_default().entry(handle).or_insert(read);
        }
    }

    /// A stranger can only be what a client asked for and was never answered; each such request explains one.
    pub(super) fn strangers_are_explained(&mut self) {
        for ((session, feature, seats), shown) in std::mem::take(&mut self.strangers) {
            let client = self.sessions.iter().find(|(_, own)| **own == session).map(|(client, _)| *client);
            let asked = Kind::Checkout { feature: feature.to_owned(), seats };
            let maybes = self.history.operations.iter().filter(|operation| {
                matches!(operation.told, Told::Unknown { .. })
                    && Some(operation.client) == client
                    && operation.kind == asked
            });
            // Each may have happened at any entry after the one that was known when it was asked. The earliest request
            // explains the earliest stranger: if that does not work out, nothing does.
            let mut maybes: Vec<LogIndex> =
                maybes.map(|operation| self.known_before(operation.invoked_us)).collect();
            maybes.sort_unstable();
            let mut maybes = maybes.into_iter().peekable();
            for (handle, read) in shown {
                if maybes.next_if(|after| after.0 < handle.0).is_some() {
                    continue;
                }
                let what = format!("{} shows checkout {handle} ({seats} of {feature})", whom(read));
                match client {
                    Some(client) => {
                        let detail = format!(
                            "{what} of session {session}, and client {client} was never told of it: something it asked \
                             for was done more often than once"
                        );
                        self.report(claim::COUNTED_ONCE, At { client: Some(client), ..read.into() }, detail);
                    }
                    None => {
                        self.report(
                            claim::NO_GHOSTS,
                            read,
                            format!("{what} of session {session}, which nobody has"),
                        );
                    }
                }
            }
        }
    }
}
