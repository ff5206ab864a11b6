//! Letting all answers happen again, by index, to a list of what is out.

use licensing_core::id::{Handle, LogIndex, Seats};

use super::case::{Bounds, Case, Grant, told};
use super::claim;
use super::licensed::Terms;
use crate::history::{Kind, Operation, Read, Told};

/// What happens at a log index, in this order.
#[derive(Debug, Clone, Copy)]
enum Event<'a> {
    Answer(&'a Operation),
    Shown(&'a Read),
    /// From the next index on, a checkout of unknown outcome may have been granted.
    MayBeGranted(u32, &'a str, Seats),
    /// From the next index on, a checkin of unknown outcome may have been done.
    MayBeReturned(Handle),
    /// A server told somebody how many are out.
    Counted(&'a Operation),
    /// The session of a client is over.
    Ended(u32),
}

impl<'a> Case<'a> {
    /// Sorts by index and lets it happen again.
    pub(super) fn replay(&mut self) {
        let mut events: Vec<(LogIndex, u8, Event<'a>)> = Vec::new();
        for operation in &self.history.operations {
            match (&operation.told, &operation.kind) {
                (Told::Unknown { .. } | Told::GivenUp, kind) => {
                    self.verdict.unknown += 1;
                    let after = self.known_before(operation.invoked_us);
                    match kind {
                        Kind::Checkout { feature, seats } => {
                            events.push((after, 2, Event::MayBeGranted(operation.client, feature, *seats)));
                        }
                        Kind::Checkin { handle } | Kind::GiveBack { handle } | Kind::Remove { handle } => {
                            // Not before it was granted, and handles are the indexes of their grants.
                            let after = after.max(LogIndex(handle.0));
                            events.push((after, 2, Event::MayBeReturned(*handle)));
                        }
                        Kind::Close => events.extend(self.ends_of(operation.client, after)),
                        Kind::Open
                        | Kind::SetData { .. }
                        | Kind::Install { .. }
                        | Kind::Relicense { .. }
                        | Kind::Count { .. } => {}
                    }
                }
                (Told::SessionLost, _) => {
                    let detail =
                        format!("client {} was told so at {} us", operation.client, operation.invoked_us);
                    self.report(claim::SESSIONS_LIVE, operation, detail);
                }
                (Told::WasClosed, _) => {
                    events.extend(self.ends_of(operation.client, self.known_before(operation.invoked_us)));
                    let by = operation.completed_us.and_then(|completed| self.decided_after(completed));
                    events.extend(by.map(|index| (LogIndex(index.0 - 1), 3, Event::Ended(operation.client))));
                }
                (Told::Counted { applied, .. }, _) => events.push((*applied, 1, Event::Counted(operation))),
                (told, _) => {
                    events.extend(told.index().map(|index| (index, 0, Event::Answer(operation))));
                }
            }
        }
        events.extend(self.ends_of_the_vanished());
        events.extend(self.history.reads.iter().map(|read| (read.applied, 1, Event::Shown(read))));
        events.sort_by_key(|(index, rank, _)| (*index, *rank));
        for (index, _, event) in events {
            match event {
                Event::Answer(operation) => self.answered(index, operation),
                Event::Shown(read) => self.shown(read),
                Event::Counted(operation) => self.counted(operation),
                Event::Ended(client) => self.ended(index, client),
                Event::MayBeGranted(client, feature, seats) => {
                    self.maybe_granted.entry(client).or_default().push((feature, seats));
                    self.bounds.entry(feature).or_default().high += u64::from(seats.0);
                }
                Event::MayBeReturned(handle) => {
                    if let Some(grant) = self.held.get_mut(&handle)
                        && !grant.may_be_gone
                    {
                        grant.may_be_gone = true;
                        self.bounds.entry(grant.feature).or_default().low -= u64::from(grant.seats.0);
                    }
                }
            }
        }
        self.verdict.held = self.held.len() as u64;
    }

    /// The seats of a client that fell silent may go back at any index that nobody had heard of while it was certain
    /// to keep them.
    fn ends_of_the_vanished(&self) -> Vec<(LogIndex, u8, Event<'a>)> {
        let vanished = self.history.vanished.iter();
        let ends = vanished.flat_map(|vanished| {
            self.ends_of(vanished.client, self.known_before(vanished.kept_until_us)).collect::<Vec<_>>()
        });
        ends.collect()
    }

    /// Everything of this client may go back after this entry.
    fn ends_of(&self, client: u32, after: LogIndex) -> impl Iterator<Item = (LogIndex, u8, Event<'a>)> {
        let own = self.history.operations.iter().filter(move |operation| operation.client == client);
        own.filter_map(move |operation| match operation.told {
            Told::Granted { handle, index, .. } => Some((after.max(index), 2, Event::MayBeReturned(handle))),
            _ => None,
        })
    }

    fn answered(&mut self, index: LogIndex, operation: &'a Operation) {
        match (&operation.kind, &operation.told) {
            (Kind::Open, Told::Opened { .. }) => {}
            (Kind::Checkout { feature, seats }, Told::Granted { handle, .. }) => {
                self.verdict.granted += 1;
                self.was_licensed(index, feature, operation);
                let client = operation.client;
                let grant = Grant { client, index, feature, seats: *seats, may_be_gone: false };
                self.grant(*handle, grant, operation);
            }
            (Kind::Checkout { feature, seats }, Told::NoFreeSeats { in_use, .. }) => {
                self.verdict.denied += 1;
                self.was_licensed(index, feature, operation);
                self.denied(index, operation, feature, *seats, Some(*in_use));
            }
            (Kind::Checkout { feature, seats }, Told::NoSeats { .. }) => {
                self.verdict.denied += 1;
                self.was_licensed(index, feature, operation);
                self.denied(index, operation, feature, *seats, None);
            }
            (Kind::Checkout { feature, .. }, Told::NotLicensed { .. }) => {
                self.not_licensed(index, feature, operation);
            }
            (Kind::Checkout { feature, seats }, Told::MoreThanLicensed { .. }) => {
                let asked = u64::from(seats.0);
                self.not_given(index, feature, operation, |terms| (1..asked).contains(&terms.seats()));
            }
            (Kind::Checkout { feature, .. }, Told::NotStarted { .. }) => {
                self.not_given(index, feature, operation, |terms| terms == Terms::NotStarted);
            }
            (Kind::Checkout { feature, .. }, Told::Expired { .. }) => {
                self.not_given(index, feature, operation, |terms| terms == Terms::Over);
            }
            (Kind::Close, Told::Closed { .. }) => self.closed(index, operation),
            (Kind::Relicense { .. }, _) => self.relicensed(operation),
            (Kind::Install { vendor }, _) => self.install_answered(index, vendor, operation),
            (
                Kind::Checkin { handle } | Kind::GiveBack { handle } | Kind::Remove { handle },
                Told::Returned { .. },
            ) => {
                self.verdict.returned += 1;
                self.give_back(index, *handle, operation);
            }
            (Kind::SetData { handle }, Told::DataSet { .. }) => {
                self.verdict.data_set += 1;
                if !self.held.contains_key(handle) {
                    let detail = format!("{}, which nobody holds", told(operation));
                    self.report(claim::NO_GHOSTS, operation, detail);
                }
            }
            (
                Kind::Checkin { handle }
                | Kind::GiveBack { handle }
                | Kind::Remove { handle }
                | Kind::SetData { handle },
                Told::UnknownHandle { .. },
            ) => {
                match self.held.get(handle) {
                    // The checkin that nobody answered was done.
                    Some(grant) if grant.may_be_gone => self.take_off(index, *handle),
                    Some(_) => {
                        let detail = format!("{}, though it is held", told(operation));
                        self.report(claim::CHECKOUTS_STAY, operation, detail);
                    }
                    None => {}
                }
            }
            _ => self.report(claim::DENIALS_ARE_TRUE, operation, told(operation)),
        }
    }

    fn grant(&mut self, handle: Handle, grant: Grant<'a>, operation: &Operation) {
        if let Some(first) = self.granted.insert(handle, grant.index) {
            let detail = format!("handle {handle} was granted by entries {first} and {}", grant.index);
            self.report(claim::HANDLES_ARE_UNIQUE, operation, detail);
            return;
        }
        let licensed = self.licensed(grant.feature, grant.index);
        let bounds = self.bounds.entry(grant.feature).or_default();
        bounds.low += u64::from(grant.seats.0);
        bounds.high += u64::from(grant.seats.0);
        let low = bounds.low;
        if low > licensed {
            let detail = format!(
                "entry {} gave client {} {} more of {}: {low} of {licensed} are out",
                grant.index, grant.client, grant.seats, grant.feature
            );
            self.report(claim::NEVER_OVERSUBSCRIBED, operation, detail);
        }
        self.held.insert(handle, grant);
    }

    /// `in_use`: seats taken, if the denial says so; otherwise there must be a number that explains it.
    fn denied(
        &mut self,
        index: LogIndex,
        operation: &Operation,
        feature: &str,
        seats: Seats,
        in_use: Option<Seats>,
    ) {
        let Bounds { low, high } = self.bounds.get(feature).copied().unwrap_or_default();
        let terms = self.licenses.at(feature, index);
        let in_use = in_use.map_or(high, |in_use| u64::from(in_use.0));
        let asked = u64::from(seats.0);
        // Not in vain, and not now.
        let explains = |terms: &Terms| terms.seats() >= asked && in_use + asked > terms.seats();
        if in_use < low || in_use > high || !terms.iter().any(explains) {
            let detail = format!("{}, and {low} to {high} of {terms:?} are held by clients", told(operation));
            self.report(claim::DENIALS_ARE_TRUE, operation, detail);
        }
    }

    fn give_back(&mut self, index: LogIndex, handle: Handle, operation: &Operation) {
        if self.held.contains_key(&handle) {
            self.take_off(index, handle);
        } else if let Some(before) = self.returned.get(&handle) {
            let detail = format!("{}, and entry {before} had returned it already", told(operation));
            self.report(claim::COUNTED_ONCE, operation, detail);
        } else if matches!(operation.kind, Kind::Remove { .. }) && self.may_have_been_granted(handle) {
            // Operators see what is out, also what its client was never told of.
            self.returned.insert(handle, index);
        } else {
            let detail = format!("{}, which nobody was granted before", told(operation));
            self.report(claim::NO_GHOSTS, operation, detail);
        }
    }

    /// Whether a checkout that nobody has heard the end of may have got this handle, which is the index of its grant.
    fn may_have_been_granted(&self, handle: Handle) -> bool {
        self.history.operations.iter().any(|operation| {
            let is_in_doubt = matches!(operation.told, Told::Unknown { .. } | Told::GivenUp)
                && matches!(operation.kind, Kind::Checkout { .. });
            is_in_doubt && self.known_before(operation.invoked_us).0 < handle.0
        })
    }

    pub(super) fn take_off(&mut self, index: LogIndex, handle: Handle) {
        let Some(grant) = self.held.remove(&handle) else { return };
        let seats = u64::from(grant.seats.0);
        let bounds = self.bounds.entry(grant.feature).or_default();
        bounds.high -= seats;
        if !grant.may_be_gone {
            bounds.low -= seats;
        }
        self.returned.insert(handle, index);
    }
}
