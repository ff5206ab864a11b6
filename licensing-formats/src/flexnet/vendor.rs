//! VENDOR and DAEMON lines: `VENDOR vendor [path] [[OPTIONS=]options_path] [[PORT=]port]`
//! (FlexNet License Administration Guide, VENDOR Lines).
//!
//! Paths are taken literally, Windows backslashes included, and never opened. The property kept: a number
//! that would be read as a path because `PORT=` was left out is refused, since that is what its writer
//! cannot have meant.

use super::keyword::begins_a_line;
use super::server::report_lost_line;
use crate::model::VendorLine;
use crate::text::findings::{Findings, shown};
use crate::text::lexer::Word;
use crate::text::position::Position;

/// Which of the three optional fields a word fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Path,
    Options,
    Port,
}

/// Parses the words after the keyword; `None` after reporting at least one error.
pub(crate) fn parse(keyword: &Word, words: &[Word], findings: &mut Findings) -> Option<VendorLine> {
    let errors_before = findings.errors.len();
    let Some((name, rest)) = words.split_first() else {
        findings.error(keyword.end, "the VENDOR line has no vendor name", "write VENDOR name");
        return None;
    };
    let mut line =
        VendorLine { name: name.text.clone(), path: None, options: None, port: None, line: keyword.at.line };
    let mut filled: Vec<Field> = Vec::new();
    for word in rest {
        if word.after_joint && begins_a_line(&word.text) {
            report_lost_line(word, findings);
            break;
        }
        let Some((field, value, at)) = field(word, filled.iter().max(), findings) else { continue };
        if filled.contains(&field) {
            let problem = format!("{} is one word too many on the VENDOR line", shown(&word.text));
            findings.error(word.at, problem, "write VENDOR name path OPTIONS=path PORT=port");
            continue;
        }
        filled.push(field);
        match field {
            Field::Path => line.path = Some(value.to_owned()),
            Field::Options => line.options = Some(value.to_owned()),
            Field::Port => line.port = port(value, at, findings),
        }
    }
    (findings.errors.len() == errors_before).then_some(line)
}

/// The field the word fills, given the rightmost one already filled; `None` after reporting an error.
fn field<'a>(
    word: &'a Word,
    rightmost: Option<&Field>,
    findings: &mut Findings,
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
            findings.error(word.at, problem, "write OPTIONS=path or PORT=port, or remove it");
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
        findings.error(word.at, problem, "write PORT= before it if it is a port");
        return None;
    }
    Some((next, &word.text, word.at))
}

fn port(digits: &str, at: Position, findings: &mut Findings) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(port) if plain => Some(port).filter(|port| *port > 0),
        _ => {
            let problem = format!("{} is not a port number", shown(digits));
            findings.error(at, problem, "write a number from 1 to 65535, or 0 for any free port");
            None
        }
    }
}
