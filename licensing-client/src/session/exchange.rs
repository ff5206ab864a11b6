//! What is under way on one connection: which answer belongs to which request, how long the server has been silent,
//! and when the next heartbeat is due. Holds no request itself; is thrown away with its connection.

use std::collections::BTreeMap;
use std::time::Duration;

/// The messages of one connection that have no answer yet, by the ids they were given. `P` says what each was for.
/// Times count from any moment the caller chooses.
#[derive(Debug)]
pub(crate) struct Exchange<P> {
    next_id: u64,
    in_flight: BTreeMap<u64, P>,
    /// Since when the server owes an answer and has said nothing; `None` while it owes none.
    silent_since: Option<Duration>,
    last_sent: Duration,
}

impl<P: PartialEq> Exchange<P> {
    pub(crate) fn new(now: Duration) -> Exchange<P> {
        Exchange { next_id: 1, in_flight: BTreeMap::new(), silent_since: None, last_sent: now }
    }

    /// The id for a message that is sent now.
    pub(crate) fn send(&mut self, now: Duration, purpose: P) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.in_flight.insert(id, purpose);
        self.last_sent = now;
        self.silent_since.get_or_insert(now);
        id
    }

    /// What the answered message was for; `None` when no such message awaits an answer.
    pub(crate) fn answered(&mut self, now: Duration, id: u64) -> Option<P> {
        let purpose = self.in_flight.remove(&id);
        self.heard(now);
        purpose
    }

    /// The server gave any sign of life.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.silent_since = (!self.in_flight.is_empty()).then_some(now);
    }

    pub(crate) fn silent_since(&self) -> Option<Duration> {
        self.silent_since
    }

    pub(crate) fn last_sent(&self) -> Duration {
        self.last_sent
    }

    pub(crate) fn awaits(&self, purpose: &P) -> bool {
        self.in_flight.values().any(|other| other == purpose)
    }

    /// What has no answer and, with the connection gone, will get none.
    pub(crate) fn into_unanswered(self) -> impl Iterator<Item = P> {
        self.in_flight.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_the_last_sign_of_life_while_an_answer_is_owed() {
        let at = Duration::from_millis;
        let mut exchange = Exchange::new(at(0));
        assert_eq!(exchange.silent_since(), None);
        let first = exchange.send(at(10), 'a');
        let second = exchange.send(at(20), 'b');
        assert_eq!(exchange.silent_since(), Some(at(10)));
        assert_eq!(exchange.answered(at(30), second), Some('b'));
        assert_eq!(exchange.silent_since(), Some(at(30)));
        exchange.heard(at(40));
        assert_eq!(exchange.silent_since(), Some(at(40)));
        assert_eq!(exchange.answered(at(50), second), None);
        assert_eq!(exchange.answered(at(60), first), Some('a'));
        assert_eq!(exchange.silent_since(), None);
        assert_eq!(exchange.last_sent(), at(20));
    }
}
