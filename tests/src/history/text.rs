//! A whole history, as text and as what the text says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use licensing_core::id::Seats;
use serde::{Deserialize, Serialize};

use super::about::{About, VERSION};
use super::operation::Operation;
use super::shown::{Date, Look, Read, Vanished};

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
    /// State time, where anybody was told it.
    pub dates: BTreeSet<Date>,
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
    Date(Date),
}

impl History {
    /// A history in which nothing has happened yet.
    pub fn new(test: &str, seed: u64, licensed: BTreeMap<String, Seats>) -> History {
        History::of(About::new(test, seed, licensed))
    }

    /// The same, with all there is to say of the run.
    pub fn of(about: About) -> History {
        let (operations, reads, looks) = (Vec::new(), Vec::new(), Vec::new());
        History { about, operations, reads, looks, vanished: Vec::new(), dates: BTreeSet::new() }
    }

    /// The history as text.
    pub fn to_text(&self) -> String {
        let operations = self.operations.iter().cloned().map(Line::Operation);
        let reads = self.reads.iter().cloned().map(Line::Read);
        let looks = self.looks.iter().cloned().map(Line::Look);
        let vanished = self.vanished.iter().cloned().map(Line::Vanished);
        let dates = self.dates.iter().copied().map(Line::Date);
        let about = [Line::About(self.about.clone())].into_iter();
        let mut text = String::new();
        for line in about.chain(operations).chain(reads).chain(looks).chain(vanished).chain(dates) {
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
                (Line::Date(date), Some(history)) => drop(history.dates.insert(date)),
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
