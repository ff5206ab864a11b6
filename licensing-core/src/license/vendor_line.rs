//! VENDOR and DAEMON lines: `VENDOR vendor [path] [[OPTIONS=]options_path] [[PORT=]port]`
//! (FlexNet License Administration Guide, VENDOR Lines).
//!
//! Paths are taken literally, Windows backslashes included, and never opened. The property kept: a number
//! that would be read as a path because `PORT=` was left out is refused, since that is what its writer
//! cannot have meant.

use super::VendorLine;
use super::error::{Report, shown};
use super::keyword::begins_a_line;
use super::lexer::{Position, Word};
use super::server_line::report_lost_line;

/// Which of the three optional fields a word fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Path,
    Options,
    Port,
}

/// Parses the words after the keyword; `None` after reporting at least one error.
pub(super) fn parse(keyword: &Word, words: &[Word], report: &mut Report) -> Option<VendorLine> {
    let errors_before = report.errors.len();
    let Some((name, rest)) = words.split_first() else {
        report.error(keyword.end, "the VENDOR line has no vendor name", "write VENDOR name");
        return None;
    };
    let mut line =
        VendorLine { name: name.text.clone(), path: None, options: None, port: None, line: keyword.at.line };
    let mut filled: Vec<Field> = Vec::new();
    for word in rest {
        if word.after_joint && begins_a_line(&word.text) {
            report_lost_line(word, report);
            break;
        }
        let Some((field, value, at)) = field(word, filled.iter().max(), report) else { continue };
        if filled.contains(&field) {
            let problem = format!("{} is one word too many on the VENDOR line", shown(&word.text));
            report.error(word.at, problem, "write VENDOR name path OPTIONS=path PORT=port");
            continue;
        }
        filled.push(field);
        match field {
            Field::Path => line.path = Some(value.to_owned()),
            Field::Options => line.options = Some(value.to_owned()),
            Field::Port => line.port = port(value, at, report),
        }
    }
    (report.errors.len() == errors_before).then_some(line)
}

/// The field the word fills, given the rightmost one already filled; `None` after reporting an error.
fn field<'a>(
    word: &'a Word,
    rightmost: Option<&Field>,
    report: &mut Report,
) -> Option<(Field, &'a str, Position)> {
    if let Some((key, value, at)) = word.pair() {
        if key.eq_ignore_ascii_case("OPTIONS") {
            return Some((Field::Options, value, at));
        }
        if key.eq_ignore_ascii_case("PORT") {
            return Some((Field::Port, value, at));
        }
        // A path may hold a =, but then it has something else than letters before it.
        if key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
            let problem = format!("{} is not a VENDOR attribute", shown(key));
            report.error(word.at, problem, "write OPTIONS=path or PORT=port, or remove it");
            return None;
        }
    }
    let next = match rightmost {
        None => Field::Path,
        Some(Field::Path) => Field::Options,
        Some(Field::Options | Field::Port) => Field::Port,
    };
    if next != Field::Port && word.text.bytes().all(|byte| byte.is_ascii_digit()) {
        let problem = format!("{} stands where a path is expected", shown(&word.text));
        report.error(word.at, problem, "write PORT= before it if it is a port");
        return None;
    }
    Some((next, &word.text, word.at))
}

fn port(digits: &str, at: Position, report: &mut Report) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(port) if plain => Some(port).filter(|port| *port > 0),
        _ => {
            let problem = format!("{} is not a port number", shown(digits));
            report.error(at, problem, "write a number from 1 to 65535, or 0 for any free port");
            None
        }
    }
}
