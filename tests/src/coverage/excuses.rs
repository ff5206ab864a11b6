//! The list of what need not run, `tests/coverage/excused.txt`: a reason, and below it what it is the reason for.

use std::fmt;

use super::Hole;

/// Stands for any piece of a function that did run.
const ANY: &str = "*";

/// What one line of the list excuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excuse {
    /// File, or folder when it ends with a slash.
    pub path: String,
    /// A function of it.
    pub function: Option<String>,
    /// A piece of that, by its first line; `*` for all pieces, but not for functions that never ran at all.
    pub text: Option<String>,
    /// Whether it may run: what takes luck runs in one sweep and not in the next.
    pub seldom: bool,
    /// Its line in the list.
    pub line: usize,
}

impl Excuse {
    /// Whether it is about something that never ran.
    pub fn covers(&self, hole: &Hole) -> bool {
        let path = if self.is_folder() { hole.path.starts_with(&self.path) } else { hole.path == self.path };
        let function = self.function.is_none() || self.function == hole.function;
        let text = match self.text.as_deref() {
            Some(ANY) => hole.text.is_some(),
            Some(_) => self.function == hole.function && self.text == hole.text,
            None => self.function.is_none() || hole.text.is_none(),
        };
        path && function && text
    }

    /// Whether it is about all files of a folder.
    pub fn is_folder(&self) -> bool {
        self.path.ends_with('/')
    }
}

impl fmt::Display for Excuse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Excuse { path, function, text, line, .. } = self;
        let hole = Hole { path: path.clone(), function: function.clone(), text: text.clone(), line: *line };
        hole.fmt(formatter)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Excuses(pub Vec<Excuse>);

impl Excuses {
    /// Reads the list. Lines that begin with `#` and empty ones say nothing; `why:` begins a reason; any other line is a folder, a
    /// file, `file::function`, or `file::function: first line of a piece`, behind `seldom` where it is a matter of luck. `: *` behind a
    /// folder, a file or a function stands for all pieces of functions that did run.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the number of the line.
    pub fn read(text: &str) -> Result<Excuses, String> {
        let mut excuses: Vec<Excuse> = Vec::new();
        let mut reason = false;
        for (line, words) in text.lines().map(str::trim).enumerate().map(|(at, words)| (at + 1, words)) {
            if words.is_empty() || words.starts_with('#') {
                continue;
            }
            if let Some(why) = words.strip_prefix("why:") {
                reason = !why.trim().is_empty();
                continue;
            }
            if !reason {
                return Err(format!("line {line}: there is no reason above it"));
            }
            let (seldom, words) = words.strip_prefix("seldom ").map_or((false, words), |words| (true, words));
            let (place, text) =
                words.split_once(": ").map_or((words, None), |(place, text)| (place, Some(text)));
            let (path, function) =
                place.split_once("::").map_or((place, None), |(path, name)| (path, Some(name)));
            let (path, function) = (path.to_owned(), function.map(ToOwned::to_owned));
            let excuse = Excuse { path, function, text: text.map(ToOwned::to_owned), seldom, line };
            if excuses.iter().any(|other| Excuse { line, seldom, ..other.clone() } == excuse) {
                return Err(format!("line {line}: {excuse} is there twice"));
            }
            excuses.push(excuse);
        }
        Ok(Excuses(excuses))
    }
}
