//! A record: what clients and servers said, line by line.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::template::Template;

/// One line.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    /// What happens to servers and files.
    Act(String),
    /// A frame, or bytes that are none.
    Said { who: String, how: How, words: String, content: Template },
}

/// Who says it, and in what form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The client, a frame.
    Client,
    /// The client, bytes as they are.
    ClientBytes,
    /// The server, a frame.
    Server,
    /// The server closes the connection.
    Closed,
}

const SIGNS: [(How, &str); 4] =
    [(How::Client, ">"), (How::ClientBytes, ">>"), (How::Server, "<"), (How::Closed, "x")];

/// Explains a record to whoever opens it.
const HEAD: &str = "\
# A recorded conversation. Every later server must say the same: lines are never changed.
#
# CONNECTION SIGN WHAT | BYTES
#
# CONNECTION names the server it leads to and is opened by its first line. SIGN: > a frame of the client, >> bytes of the
# client as they are, < a frame of the server, x the server closes the connection. BYTES are hex, of a frame without the
# four of its length. {…} stands for what differs from run to run: {number}, {text}, {texts} and {pairs} for anything of that
# kind, a number with a name for the same wherever the name stands, {challenge.1} for 32 random bytes and {proof.1} for the
# HMAC of them. A line that begins with * says what happens meanwhile.
";

/// Where the record of this name lies.
pub(crate) fn path(version: u16, name: &str) -> PathBuf {
    folder(version).join(format!("{name}.txt"))
}

/// Where all records of a version lie, with the license files they are about.
pub(crate) fn folder(version: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/conversation/v{version}"))
}

/// The lines of a record, with their numbers.
pub(crate) fn read(path: &Path) -> Vec<(usize, Line)> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|(number, line)| match Line::parse(line) {
        Ok(line) => (number, line),
        Err(problem) => panic!("{}:{number}: {problem}", path.display()),
    });
    parsed.collect()
}

/// A record's text.
pub(crate) fn text(lines: &[Line]) -> String {
    lines.iter().fold(format!("{HEAD}\n"), |text, line| format!("{text}{line}\n"))
}

impl Line {
    fn parse(line: &str) -> Result<Line, String> {
        if let Some(act) = line.strip_prefix("* ") {
            return Ok(Line::Act(act.to_owned()));
        }
        let (said, content) = line.rsplit_once('|').ok_or("a line has a | before its bytes")?;
        let mut words = said.trim().splitn(3, ' ');
        let who = words.next().unwrap_or_default().to_owned();
        let sign = words.next().unwrap_or_default();
        let how = SIGNS.iter().find(|(_, known)| *known == sign).ok_or(format!("`{sign}` is no sign"))?.0;
        let words = words.next().unwrap_or_default().to_owned();
        Ok(Line::Said { who, how, words, content: Template::parse(content)? })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Act(act) => write!(f, "* {act}"),
            Line::Said { who, how, words, content } => {
                let sign = SIGNS.iter().find(|(known, _)| known == how).map_or("", |(_, sign)| sign);
                write!(f, "{}", format!("{who} {sign} {words} | {content}").trim_end())
            }
        }
    }
}
