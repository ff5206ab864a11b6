//! The entry being applied, and what it has caused so far.

use crate::event::{Event, EventKind};
use crate::id::{LogIndex, Timestamp};
use crate::outcome::{Answer, Denial, Outcome};

/// What is known of the entry being applied, and what it has caused so far.
pub(crate) struct Applying {
    pub(crate) index: LogIndex,
    pub(crate) at: Timestamp,
    pub(crate) events: Vec<Event>,
}

impl Applying {
    pub(crate) fn record(&mut self, kind: EventKind) {
        let ordinal = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        self.events.push(Event { index: self.index, ordinal, at: self.at, kind });
    }

    pub(crate) fn answer(&self, decision: Result<Outcome, Denial>) -> Answer {
        Answer { index: self.index, at: self.at, outcome: decision.unwrap_or_else(Outcome::Denied) }
    }
}
