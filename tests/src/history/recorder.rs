//! Writing a history while it happens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use licensing_core::id::{LogIndex, Seats, Timestamp};
use tokio::time::Instant;

use super::about::About;
use super::operation::{Kind, Operation, Told};
use super::shown::{Date, Look, Read, Vanished};
use super::text::History;

/// Writes a history while it happens. Clones write the same one.
#[derive(Debug, Clone)]
pub struct Recorder {
    begun: Instant,
    history: Arc<Mutex<History>>,
}

/// An operation that is under way.
#[derive(Debug)]
#[must_use = "an operation that is never completed counts as unknown"]
pub struct UnderWay(usize);

impl Recorder {
    /// Begins a history.
    pub fn new(test: &str, seed: u64, licensed: BTreeMap<String, Seats>) -> Recorder {
        Recorder::of(About::new(test, seed, licensed))
    }

    /// The same, with all there is to say of the run.
    pub fn of(about: About) -> Recorder {
        Recorder { begun: Instant::now(), history: Arc::new(Mutex::new(History::of(about))) }
    }

    /// Microseconds since the beginning.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A client is about to ask.
    pub fn invoke(&self, client: u32, kind: Kind) -> UnderWay {
        let told = Told::Unknown { why: "the client was never answered".to_owned() };
        let mut history = self.lock();
        let invoked_us = self.now_us();
        history.operations.push(Operation { client, kind, invoked_us, completed_us: None, told });
        UnderWay(history.operations.len() - 1)
    }

    /// The client has been told.
    pub fn complete(&self, operation: UnderWay, told: Told) {
        // Before the lock: waiting for it must not make the operation longer.
        let completed_us = self.now_us();
        let mut history = self.lock();
        let operation = &mut history.operations[operation.0];
        operation.completed_us = Some(completed_us.max(operation.invoked_us));
        operation.told = told;
    }

    /// A server has shown its state.
    pub fn read(&self, read: Read) {
        self.lock().reads.push(read);
    }

    /// An answer or a state has said what time it was at an entry.
    pub fn date(&self, index: LogIndex, at: Timestamp) {
        self.lock().dates.insert(Date { index, at_ms: at.0 });
    }

    /// A server has said whether it is master.
    pub fn look(&self, look: Look) {
        self.lock().looks.push(look);
    }

    /// A client will never be heard again. Its seats may go back when `grace_us` have passed since it last asked for
    /// something that was answered.
    pub fn vanish(&self, client: u32, grace_us: u64) {
        let mut history = self.lock();
        let own = history.operations.iter().filter(|operation| operation.client == client);
        // When it asked for what it was answered: the servers heard of it then or later.
        let heard =
            own.filter(|operation| operation.completed_us.is_some()).map(|operation| operation.invoked_us);
        let heard = heard.max().unwrap_or(0);
        history.vanished.push(Vanished { client, kept_until_us: heard + grace_us, gone_by_us: None });
    }

    /// By now the clients that have vanished so far hold nothing any more.
    pub fn forget_vanished(&self) {
        let now = self.now_us();
        for vanished in &mut self.lock().vanished {
            vanished.gone_by_us.get_or_insert(now);
        }
    }

    /// The largest log index a client was told.
    pub fn last_index(&self) -> LogIndex {
        self.lock().operations.iter().filter_map(|operation| operation.told.index()).max().unwrap_or_default()
    }

    /// What has been written so far.
    pub fn history(&self) -> History {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::shown::{Count, Held};
    use licensing_core::id::{Handle, Role, SessionId};

    fn recorded() -> Recorder {
        Recorder::new("a_test", 7, BTreeMap::from([("f1".to_owned(), Seats(10))]))
    }

    #[test]
    fn a_history_is_read_as_it_was_written() {
        let recorder = recorded();
        let open = recorder.invoke(1, Kind::Open);
        recorder.complete(open, Told::Opened { session: SessionId(3) });
        for told in [
            Told::Granted { index: LogIndex(4), handle: Handle(4), with_data: Some(true) },
            Told::NoFreeSeats { index: LogIndex(5), in_use: Seats(10) },
            Told::NotLicensed { index: LogIndex(6) },
            Told::NoSeats { index: LogIndex(6) },
            Told::DataSet { index: LogIndex(6) },
            Told::Closed { index: LogIndex(6) },
            Told::WasClosed,
            Told::Counted { applied: LogIndex(6), issued: Seats(3), in_use: Seats(1) },
            Told::MoreThanLicensed { index: LogIndex(6) },
            Told::NotStarted { index: LogIndex(6) },
            Told::Expired { index: LogIndex(6) },
            Told::Denied { index: LogIndex(6), why: "no feature `f1`".to_owned() },
            Told::SessionLost,
            Told::GivenUp,
            Told::Unknown { why: "no answer".to_owned() },
        ] {
            let kind = Kind::Checkout { feature: "f1".to_owned(), seats: Seats(2) };
            let checkout = recorder.invoke(1, kind);
            recorder.complete(checkout, told);
        }
        let _lost = recorder.invoke(2, Kind::Checkin { handle: Handle(4) });
        let _left = recorder.invoke(2, Kind::GiveBack { handle: Handle(4) });
        let licensed = BTreeMap::from([("f1".to_owned(), Seats(0))]);
        let _other = recorder.invoke(9, Kind::Relicense { licensed });
        let _count = recorder.invoke(1, Kind::Count { feature: "f1".to_owned() });
        let _closing = recorder.invoke(1, Kind::Close);
        recorder.date(LogIndex(4), Timestamp(1_767_225_600_000));
        let held = vec![Held {
            handle: Handle(4),
            session: SessionId(3),
            feature: "f1".to_owned(),
            seats: Seats(2),
            data: Some("client 1: 2 of f1".to_owned()),
        }];
        let count = Count { issued: Seats(10), in_use: Seats(2) };
        recorder.read(Read {
            server: Role::Secondary,
            asked_us: 10,
            answered_us: 20,
            master: true,
            applied: LogIndex(9),
            edition: Some(2),
            features: BTreeMap::from([("f1".to_owned(), count)]),
            held,
        });
        recorder.look(Look { server: Role::Primary, asked_us: 12, answered_us: 13, master: false });
        let history = recorder.history();
        assert_eq!(recorder.last_index(), LogIndex(6));
        assert_eq!(history.operations.last().unwrap().completed_us, None);
        assert_eq!(History::from_text(&history.to_text()).unwrap(), history);
    }

    #[test]
    fn what_is_no_history_is_refused_with_its_line() {
        let about = recorded().history().to_text();
        for (text, problem) in [
            (String::new(), "line 1 of the history: the text is empty"),
            (
                about.replace("\"version\":3", "\"version\":4"),
                "the history has version 4, this program knows",
            ),
            (format!("{about}{about}"), "line 2 of the history: the first line, and no other"),
            (format!("{about}{{\"rumour\":1}}\n"), "line 2 of the history: unknown variant `rumour`"),
        ] {
            let error = History::from_text(&text).unwrap_err().to_string();
            assert!(error.starts_with(problem), "{error}");
        }
    }
}
