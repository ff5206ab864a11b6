//! Comparing what servers showed with what was out at that index.

use std::collections::BTreeMap;

use licensing_core::id::{Handle, LogIndex};

use super::case::{Case, Stranger, whom};
use super::claim;
use super::verdict::At;
use crate::history::{Held, Kind, Read, Told};

impl<'a> Case<'a> {
    /// Compares what a server showed with what was out at that index.
    pub(super) fn shown(&mut self, read: &'a Read) {
        self.verdict.reads += 1;
        let mut missing = self.held.clone();
        let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
        for shown in &read.held {
            *counted.entry(&shown.feature).or_default() += u64::from(shown.seats.0);
            let Some(grant) = missing.remove(&shown.handle) else {
                if self.of_a_session_that_is_over(read, shown) {
                    continue;
                }
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
            let terms = self.licenses.at(feature, read.applied);
            if in_use != sum || !terms.iter().any(|terms| terms.seats() == issued) {
                let detail = format!(
                    "{} counts {in_use} of {issued} for {feature}, shows {sum}, and licensed is {terms:?}",
                    whom(read)
                );
                self.report(claim::COUNTS_ARE_RIGHT, read, detail);
            }
            // Seats that are out stay out when a line is over, or a license with fewer comes.
            if in_use.max(sum) > issued.max(self.licenses.most(feature)) {
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

    /// What a client did not wait for is not out any more in the end: its library has given it back.
    pub(super) fn what_was_given_up_went_back(&mut self) {
        let end = self.history.reads.iter().map(|read| read.asked_us).max();
        let last = self.history.reads.iter().filter(|read| Some(read.asked_us) == end);
        let shown = last.flat_map(|read| read.held.iter().map(move |held| (read, held)));
        let given_up: Vec<(&Read, Handle, u32)> =
            shown.filter_map(|(read, held)| Some((read, held.handle, self.gave_up(held)?))).collect();
        for (read, handle, client) in given_up {
            let detail = format!(
                "{} shows checkout {handle} in the end, for which client {client} did not wait",
                whom(read)
            );
            self.report(claim::NO_GHOSTS, At { client: Some(client), ..read.into() }, detail);
        }
    }

    /// The client that did not wait for this checkout, if nothing else explains that it is out.
    fn gave_up(&self, held: &Held) -> Option<u32> {
        if self.granted.contains_key(&held.handle) {
            return None;
        }
        let own = self.sessions.iter().find(|(_, session)| **session == held.session);
        let client = own.map(|(client, _)| *client)?;
        let asked = Kind::Checkout { feature: held.feature.clone(), seats: held.seats };
        let of_client = self.history.operations.iter().filter(|operation| operation.client == client);
        let mut told = of_client.filter(|operation| operation.kind == asked).map(|operation| &operation.told);
        let is_known = |told: &&Told| !matches!(told, Told::Unknown { .. });
        let gave_up = told.clone().all(|told| is_known(&told)) && told.any(|told| *told == Told::GivenUp);
        let vanished = self.history.vanished.iter().any(|vanished| vanished.client == client);
        (gave_up && !vanished).then_some(client)
    }

    /// A stranger can only be what a client asked for and was never answered; each such request explains one.
    pub(super) fn strangers_are_explained(&mut self) {
        for ((session, feature, seats), shown) in std::mem::take(&mut self.strangers) {
            let client = self.sessions.iter().find(|(_, own)| **own == session).map(|(client, _)| *client);
            let asked = Kind::Checkout { feature: feature.to_owned(), seats };
            let maybes = self.history.operations.iter().filter(|operation| {
                matches!(operation.told, Told::Unknown { .. } | Told::GivenUp)
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
