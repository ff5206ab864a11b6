//! Sessions that their clients end: what they held is back by the entry that ended them, and nothing is out of them ever after.

use std::collections::BTreeSet;

use licensing_core::id::{Handle, LogIndex, SessionId};

use super::case::{Case, told, whom};
use super::claim;
use super::verdict::At;
use crate::history::{Held, Kind, Operation, Read, Told};

impl<'a> Case<'a> {
    /// The session of this client is over with this entry.
    pub(super) fn ended(&mut self, index: LogIndex, client: u32) {
        let of_client = self.held.iter().filter(|(_, grant)| grant.client == client);
        let handles: Vec<Handle> = of_client.map(|(handle, _)| *handle).collect();
        for handle in handles {
            self.take_off(index, handle);
        }
        // What it was never told of is not out either.
        for (feature, seats) in self.maybe_granted.remove(&client).unwrap_or_default() {
            self.bounds.entry(feature).or_default().high -= u64::from(seats.0);
        }
        if let Some(session) = self.sessions.get(&client) {
            self.over.entry(*session).or_insert(index);
        }
    }

    /// A client was told that its session is over by this entry.
    pub(super) fn closed(&mut self, index: LogIndex, operation: &Operation) {
        self.verdict.closed += 1;
        let own = self.sessions.get(&operation.client).copied();
        if let Some(before) = own.and_then(|session| self.over.get(&session)) {
            let detail = format!("{}, and it was over with entry {before}", told(operation));
            self.report(claim::COUNTED_ONCE, operation, detail);
        }
        self.ended(index, operation.client);
    }

    /// A session that is over holds nothing.
    pub(super) fn of_a_session_that_is_over(&mut self, read: &Read, held: &Held) -> bool {
        let Some(index) = self.over.get(&held.session).copied() else { return false };
        let detail = format!(
            "{} shows checkout {} of session {}, which was over with entry {index}",
            whom(read),
            held.handle,
            held.session
        );
        self.report(claim::ENDED_HOLD_NOTHING, read, detail);
        true
    }

    /// What clients left to their library, or to the servers, is done in the end: sessions are over and seats are back.
    pub(super) fn what_was_left_is_done(&mut self) {
        let is_left = |operation: &&Operation| operation.told.index().is_none();
        let left = || self.history.operations.iter().filter(is_left);
        let closing = left().filter(|operation| operation.kind == Kind::Close);
        let sessions: BTreeSet<SessionId> =
            closing.filter_map(|operation| self.sessions.get(&operation.client).copied()).collect();
        let vanished: BTreeSet<u32> = self.history.vanished.iter().map(|vanished| vanished.client).collect();
        let given = left().filter(|operation| !vanished.contains(&operation.client));
        let given: BTreeSet<Handle> = given
            .filter_map(|operation| match operation.kind {
                Kind::GiveBack { handle } => Some(handle),
                _ => None,
            })
            .collect();
        let end = self.history.reads.iter().map(|read| read.asked_us).max();
        for read in self.history.reads.iter().filter(|read| Some(read.asked_us) == end) {
            for held in &read.held {
                let what = if sessions.contains(&held.session) {
                    format!("of session {}, which was to be closed", held.session)
                } else if given.contains(&held.handle) {
                    "which was to be given back".to_owned()
                } else {
                    continue;
                };
                let detail = format!("{} shows checkout {} in the end, {what}", whom(read), held.handle);
                self.report(claim::NO_GHOSTS, At::from(read), detail);
            }
        }
    }

    /// A server told somebody how many seats are out.
    pub(super) fn counted(&mut self, operation: &'a Operation) {
        let (Kind::Count { feature }, Told::Counted { applied, issued, in_use }) =
            (&operation.kind, &operation.told)
        else {
            return;
        };
        self.verdict.counts += 1;
        let bounds = self.bounds.get(feature.as_str()).copied().unwrap_or_default();
        let (issued, in_use) = (u64::from(issued.0), u64::from(in_use.0));
        let terms = self.licenses.at(feature, *applied);
        let is_licensed = terms.iter().any(|terms| terms.seats() == issued);
        if in_use < bounds.low || in_use > bounds.high || !is_licensed {
            let detail = format!("{}, {bounds:?} are out and licensed is {terms:?}", told(operation));
            self.report(claim::COUNTS_ARE_RIGHT, operation, detail);
        }
    }
}
