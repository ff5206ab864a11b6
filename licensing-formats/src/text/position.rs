//! A place in a file, for messages that editors can jump to.

/// A place in the file, both parts from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    /// The place of the next character of the line.
    pub(crate) fn next(self) -> Position {
        Position { column: self.column.saturating_add(1), ..self }
    }
}
