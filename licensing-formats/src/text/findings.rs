//! What the parser has to say about a text: errors, warnings, and the bounded list they are collected in.
//!
//! Every message names a place (line and column, both counted from 1, columns in characters) and an error
//! also says what to write instead. The property kept: what is quoted from the file is cut to a short
//! length and its control characters are shown escaped, so a message is always one readable line. Nothing
//! here ever decides whether something is an error; the line parsers do.

use serde::{Deserialize, Serialize};

use super::position::Position;

/// At most this many errors are returned: nobody repairs more than a screenful at a time, and a wrong file
/// (a picture, say) must not produce a report larger than itself.
pub const MAX_ERRORS: usize = 50;

/// At most this many warnings are kept, for the same reason; a file may have ten thousand unsigned lines.
pub const MAX_WARNINGS: usize = 1_000;

/// Characters of the file quoted in one message; enough to recognise the word, short enough for one line.
const MAX_QUOTED_CHARACTERS: usize = 48;

/// One thing that is wrong in a license file, where it is, and what to write instead.
///
/// Displays as `line:column: problem, help` without a final full stop; put the file name and a colon in
/// front to get a place that editors can jump to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{line}:{column}: {problem}, {help}")]
#[non_exhaustive]
pub struct LicenseError {
    /// Physical line in the file, from 1.
    pub line: u32,
    /// Character in that line, from 1; a tab is one character.
    pub column: u32,
    /// What is wrong, quoting the text.
    pub problem: String,
    /// What to write instead.
    pub help: String,
}

/// All errors found in a license file in line order, at most [`MAX_ERRORS`]. Displays one per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseErrors(pub Vec<LicenseError>);

impl std::fmt::Display for LicenseErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LicenseErrors {}

/// Something suspicious that did not stop the license from being read. Displays as `line:column: message`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Physical line in the file, from 1.
    pub line: u32,
    /// Character in that line, from 1.
    pub column: u32,
    /// What is suspicious and what was made of it.
    pub message: String,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// The errors and warnings of a parse in progress.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<LicenseError>,
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Findings {
    /// Notes an error; dropped once [`MAX_ERRORS`] are held.
    pub(crate) fn error(&mut self, at: Position, problem: impl Into<String>, help: impl Into<String>) {
        if !self.is_full() {
            self.errors.push(at.error(problem, help));
        }
    }

    /// Notes a warning; dropped once [`MAX_WARNINGS`] are held.
    pub(crate) fn warn(&mut self, at: Position, message: impl Into<String>) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(Diagnostic { line: at.line, column: at.column, message: message.into() });
        }
    }

    /// Whether reading on cannot add another error.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.len() >= MAX_ERRORS
    }
}

impl Position {
    /// An error at this place.
    pub(crate) fn error(self, problem: impl Into<String>, help: impl Into<String>) -> LicenseError {
        LicenseError { line: self.line, column: self.column, problem: problem.into(), help: help.into() }
    }
}

/// `text` between backticks, cut to a readable length, control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::from("`");
    for (index, character) in text.chars().enumerate() {
        if index == MAX_QUOTED_CHARACTERS {
            out.push('…');
            break;
        }
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out.push('`');
    out
}
