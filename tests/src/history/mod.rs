//! What the clients of a run did and what they were told, and what every server showed meanwhile: enough to judge the
//! run without having been there, today or a year from now.
//!
//! A history is text, one JSON object a line: first [`About`] with the format's version, then [`Operation`]s, [`Read`]s,
//! [`Look`]s and [`Vanished`] clients in any order. Times are microseconds of one monotonic clock. An operation is written down when it is
//! invoked, so that one whose client dies is in the history as unknown, never left out.

mod recorder;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use licensing_core::id::{Handle, LogIndex, Role, Seats, SessionId};
use serde::{Deserialize, Serialize};

pub use recorder::{Recorder, UnderWay};

/// Format of the text. Raise it when a reader of the old format would misjudge the new one.
pub const VERSION: u32 = 1;

/// A run, as its clients saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// What was run.
    pub about: About,
    /// What was asked, in the order of the invocations.
    pub operations: Vec<Operation>,
    /// What servers showed.
    pub reads: Vec<Read>,
    /// What servers said of themselves to whoever asked just that.
    pub looks: Vec<Look>,
    /// Clients that fell silent for ever.
    pub vanished: Vec<Vanished>,
}

/// What was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Name of the test.
    pub test: String,
    /// What its random choices came from.
    pub seed: u64,
    /// Seats of each feature.
    pub licensed: BTreeMap<String, Seats>,
    /// How many servers there are.
    #[serde(default = "three", skip_serializing_if = "is_three")]
    pub servers: usize,
}

fn three() -> usize {
    3
}

fn is_three(servers: &usize) -> bool {
    *servers == 3
}

/// One request of one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Whose, by a number of the test's own.
    pub client: u32,
    /// What was asked.
    pub kind: Kind,
    /// When the client asked.
    pub invoked_us: u64,
    /// When the client was answered; `None` when it never was.
    pub completed_us: Option<u64>,
    /// What the client was told.
    pub told: Told,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A session.
    Open,
    /// Seats of a feature.
    Checkout {
        /// Which feature.
        feature: String,
        /// How many.
        seats: Seats,
    },
    /// To take seats back.
    Checkin {
        /// Which ones.
        handle: Handle,
    },
    /// To take seats away from whoever holds them; an administrator asks.
    Remove {
        /// Which ones.
        handle: Handle,
    },
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It has a session, named by the index of the log entry that opened it.
    Opened {
        /// The session.
        session: SessionId,
    },
    /// It has seats.
    Granted {
        /// The entry that decided it.
        index: LogIndex,
        /// Name of the checkout.
        handle: Handle,
    },
    /// Its seats are back.
    Returned {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// No, because too few seats were free.
    NoFreeSeats {
        /// The entry that decided it.
        index: LogIndex,
        /// Seats taken then, as the denial says.
        in_use: Seats,
    },
    /// No, because the checkout that was to be returned does not exist.
    UnknownHandle {
        /// The entry that decided it.
        index: LogIndex,
    },
    /// No, for any other reason.
    Denied {
        /// The entry that decided it.
        index: LogIndex,
        /// The servers' words.
        why: String,
    },
    /// Its session is gone.
    SessionLost,
    /// It was certainly not done.
    NotDone {
        /// The client's words.
        why: String,
    },
    /// It may or may not have been done, now or later.
    Unknown {
        /// The client's words.
        why: String,
    },
}

impl Told {
    /// The entry that decided it, if it is known that one did.
    pub fn index(&self) -> Option<LogIndex> {
        match self {
            Told::Opened { session } => Some(LogIndex(session.0)),
            Told::Granted { index, .. }
            | Told::Returned { index }
            | Told::NoFreeSeats { index, .. }
            | Told::UnknownHandle { index }
            | Told::Denied { index, .. } => Some(*index),
            Told::SessionLost | Told::NotDone { .. } | Told::Unknown { .. } => None,
        }
    }
}

/// The whole state as one server showed it at one of its log indexes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Which server.
    pub server: Role,
    /// When it was asked.
    pub asked_us: u64,
    /// When its answer was there.
    pub answered_us: u64,
    /// Whether it said that it is master.
    pub master: bool,
    /// What it had applied.
    pub applied: LogIndex,
    /// Seats of each feature: licensed and in use.
    pub features: BTreeMap<String, Count>,
    /// The checkouts.
    pub held: Vec<Held>,
}

/// Whether a server said that it is master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Which server.
    pub server: Role,
    /// When it was asked.
    pub asked_us: u64,
    /// When its answer was there.
    pub answered_us: u64,
    /// What it said.
    pub master: bool,
}

/// A client that fell silent for ever: its seats go back by themselves, not too early and not too late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vanished {
    /// Which client.
    pub client: u32,
    /// Until then it keeps everything: its last certain sign of life and the grace.
    pub kept_until_us: u64,
    /// From then on it has nothing any more; `None` when the run ended before.
    pub gone_by_us: Option<u64>,
}

/// Seats of a feature as a server counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Licensed.
    pub issued: Seats,
    /// Out.
    pub in_use: Seats,
}

/// One checkout as a server shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its name.
    pub handle: Handle,
    /// Who holds it.
    pub session: SessionId,
    /// Of which feature.
    pub feature: String,
    /// How many seats.
    pub seats: Seats,
}

/// A history that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A line is not one of a history.
    #[error("line {line} of the history: {problem}")]
    Line {
        /// Which one, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Written by a newer program.
    #[error("the history has version {found}, this program knows versions up to {VERSION}")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One line of the text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    About(About),
    Operation(Operation),
    Read(Read),
    Look(Look),
    Vanished(Vanished),
}

impl History {
    /// A history in which nothing has happened yet.
    pub fn new(test: &str, seed: u64, licensed: BTreeMap<String, Seats>) -> History {
        let about = About { version: VERSION, test: test.to_owned(), seed, licensed, servers: three() };
        History::of(about)
    }

    fn of(about: About) -> History {
        History { about, operations: Vec::new(), reads: Vec::new(), looks: Vec::new(), vanished: Vec::new() }
    }

    /// The history as text.
    pub fn to_text(&self) -> String {
        let operations = self.operations.iter().cloned().map(Line::Operation);
        let reads = self.reads.iter().cloned().map(Line::Read);
        let looks = self.looks.iter().cloned().map(Line::Look);
        let vanished = self.vanished.iter().cloned().map(Line::Vanished);
        let about = [Line::About(self.about.clone())].into_iter();
        let mut text = String::new();
        for line in about.chain(operations).chain(reads).chain(looks).chain(vanished) {
            text.push_str(&serde_json::to_string(&line).expect("numbers and texts"));
            text.push('\n');
        }
        text
    }

    /// Reads what [`History::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<History, HistoryError> {
        let mut history: Option<History> = None;
        for (place, line) in text.lines().enumerate() {
            let wrong = |problem: String| HistoryError::Line { line: place + 1, problem };
            let line: Line = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            match (line, &mut history) {
                (Line::About(about), None) if about.version <= VERSION => {
                    history = Some(History::of(about));
                }
                (Line::About(about), None) => return Err(HistoryError::Newer { found: about.version }),
                (Line::Operation(operation), Some(history)) => history.operations.push(operation),
                (Line::Read(read), Some(history)) => history.reads.push(read),
                (Line::Look(look), Some(history)) => history.looks.push(look),
                (Line::Vanished(vanished), Some(history)) => history.vanished.push(vanished),
                _ => return Err(wrong("the first line, and no other, says what was run".to_owned())),
            }
        }
        history.ok_or(HistoryError::Line { line: 1, problem: "the text is empty".to_owned() })
    }

    /// Writes the text to a file.
    pub fn save(&self, path: &Path) -> Result<(), HistoryError> {
        Ok(fs::write(path, self.to_text())?)
    }

    /// Reads a file written by [`History::save`].
    pub fn load(path: &Path) -> Result<History, HistoryError> {
        History::from_text(&fs::read_to_string(path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> Recorder {
        Recorder::new("a_test", 7, BTreeMap::from([("f1".to_owned(), Seats(10))]))
    }

    #[test]
    fn a_history_is_read_as_it_was_written() {
        let recorder = recorded();
        let open = recorder.invoke(1, Kind::Open);
        recorder.complete(open, Told::Opened { session: SessionId(3) });
        for told in [
            Told::Granted { index: LogIndex(4), handle: Handle(4) },
            Told::NoFreeSeats { index: LogIndex(5), in_use: Seats(10) },
            Told::Denied { index: LogIndex(6), why: "no feature `f1`".to_owned() },
            Told::SessionLost,
            Told::Unknown { why: "no answer".to_owned() },
        ] {
            let kind = Kind::Checkout { feature: "f1".to_owned(), seats: Seats(2) };
            let checkout = recorder.invoke(1, kind);
            recorder.complete(checkout, told);
        }
        let _lost = recorder.invoke(2, Kind::Checkin { handle: Handle(4) });
        let held = vec![Held {
            handle: Handle(4),
            session: SessionId(3),
            feature: "f1".to_owned(),
            seats: Seats(2),
        }];
        let count = Count { issued: Seats(10), in_use: Seats(2) };
        recorder.read(Read {
            server: Role::Secondary,
            asked_us: 10,
            answered_us: 20,
            master: true,
            applied: LogIndex(9),
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
                about.replace("\"version\":1", "\"version\":2"),
                "the history has version 2, this program knows",
            ),
            (format!("{about}{about}"), "line 2 of the history: the first line, and no other"),
            (format!("{about}{{\"rumour\":1}}\n"), "line 2 of the history: unknown variant `rumour`"),
        ] {
            let error = History::from_text(&text).unwrap_err().to_string();
            assert!(error.starts_with(problem), "{error}");
        }
    }
}
