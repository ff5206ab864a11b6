//! From text to words: logical lines, continuation, quotes, and where each word stood.
//!
//! A `\` as last non-blank character joins the next physical line. Outside quotes the joint separates words;
//! inside quotes the joint and the next line's indentation vanish, because publishers fold long signatures
//! there. The property kept: every word knows the physical line and column it came from, and every step is
//! linear in the text. This file never knows what a keyword means.

use super::findings::{LicenseError, shown};
use super::position::Position;

/// Longest logical line, in bytes, continuations included. Real lines with the largest public-key signatures
/// stay under 4 KiB; 64 KiB leaves room and bounds what one line can make us hold in memory.
pub const MAX_LOGICAL_LINE_BYTES: usize = 64 * 1024;

/// Stands in a logical line where two physical lines were joined; cannot occur in a physical line.
const JOINT: char = '\n';

/// One character and its place.
#[derive(Debug, Clone, Copy)]
struct Spot {
    character: char,
    at: Position,
}

/// One or more physical lines joined by `\`.
#[derive(Debug)]
pub(crate) struct LogicalLine {
    spots: Vec<Spot>,
}

/// One word of a logical line, quotes removed.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// First character, which may be a quote.
    pub(crate) at: Position,
    /// Just after the last character.
    pub(crate) end: Position,
    /// Whether it begins with a quote.
    pub(crate) quoted: bool,
    /// Whether it is the first word of a physical line that was joined to the one before.
    pub(crate) after_joint: bool,
    /// The first `=` outside quotes: its byte offset in `text`, and the place of what follows it.
    equals: Option<(usize, Position)>,
}

/// The words of a logical line, and where a trailing `# comment` began.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) words: Vec<Word>,
    pub(crate) comment: Option<Position>,
}

impl Word {
    /// `KEY`, `value` and the place of the value, when the word is `KEY=value`.
    pub(crate) fn pair(&self) -> Option<(&str, &str, Position)> {
        let (offset, at) = self.equals?;
        let (key, rest) = self.text.split_at_checked(offset)?;
        Some((key, rest.strip_prefix('=')?, at))
    }
}

/// The logical lines of a text, in order; an error stands for a line that is too long to look at.
pub(crate) fn logical_lines(text: &str) -> impl Iterator<Item = Result<LogicalLine, LicenseError>> {
    // A byte-order mark is how some editors mark UTF-8, not part of the first keyword.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut physical = (1u32..).zip(text.split('\n'));
    std::iter::from_fn(move || {
        let first = physical.next()?;
        let mut line = LogicalLine { spots: Vec::new() };
        let mut bytes = 0usize;
        let mut current = Some(first);
        while let Some((number, content)) = current {
            let content = content.trim_end();
            let (content, continues) = match content.strip_suffix('\\') {
                Some(before) => (before, true),
                None => (content, false),
            };
            bytes = bytes.saturating_add(content.len());
            if bytes <= MAX_LOGICAL_LINE_BYTES {
                line.push(number, content, continues);
            } else {
                line.spots.clear();
            }
            current = if continues { physical.next() } else { None };
        }
        if bytes > MAX_LOGICAL_LINE_BYTES {
            let at = Position { line: first.0, column: 1 };
            return Some(Err(at.error(
                format!("the line and its continuations are longer than {MAX_LOGICAL_LINE_BYTES} bytes"),
                "split it, or remove a \\ at the end of a line that should not continue",
            )));
        }
        Some(Ok(line))
    })
}

impl LogicalLine {
    fn push(&mut self, line: u32, content: &str, continues: bool) {
        let mut at = Position { line, column: 1 };
        for character in content.chars() {
            self.spots.push(Spot { character, at });
            at = at.next();
        }
        if continues {
            self.spots.push(Spot { character: JOINT, at });
        }
    }

    /// The first word with its place, read without regard to quotes; `None` for a blank line.
    pub(crate) fn first_word(&self) -> Option<(String, Position)> {
        let mut rest = self.spots.iter().skip_while(|spot| spot.character.is_whitespace()).peekable();
        let at = rest.peek()?.at;
        let word = rest.map(|spot| spot.character).take_while(|c| !c.is_whitespace()).collect();
        Some((word, at))
    }

    /// The first word of every physical line after the first.
    pub(crate) fn joined_first_words(&self) -> impl Iterator<Item = (String, Position)> {
        let joints = self.spots.split(|spot| spot.character == JOINT).skip(1);
        joints.filter_map(|spots| LogicalLine { spots: spots.to_vec() }.first_word())
    }

    /// Splits the line at blanks outside quotes and outside the braces of `KEY={...}`.
    ///
    /// # Errors
    ///
    /// An unclosed quote or brace, a typographic quotation mark outside quotes, a control character, and
    /// text directly behind a closing quote.
    pub(crate) fn words(&self) -> Result<Words, LicenseError> {
        let mut found = Words::default();
        let mut spots = self.spots.as_slice();
        let mut after_joint = false;
        while let Some((spot, rest)) = spots.split_first() {
            if spot.character.is_whitespace() {
                after_joint |= spot.character == JOINT;
                spots = rest;
                continue;
            }
            if spot.character == '#' && !found.words.is_empty() {
                found.comment = Some(spot.at);
                break;
            }
            let (word, rest) = read_word(spot.at, after_joint, spots)?;
            found.words.push(word);
            after_joint = false;
            spots = rest;
        }
        Ok(found)
    }
}

/// Reads the word at the start of `spots`; returns it with what follows.
fn read_word(at: Position, after_joint: bool, mut spots: &[Spot]) -> Result<(Word, &[Spot]), LicenseError> {
    let mut word = Word { text: String::new(), at, end: at, quoted: false, after_joint, equals: None };
    while let Some((spot, rest)) = spots.split_first() {
        match spot.character {
            '"' => {
                word.quoted |= word.text.is_empty();
                spots = read_quoted(spot.at, rest, &mut word)?;
                expect_blank(spots, &word)?;
                continue;
            }
            '{' if word.equals.is_some_and(|(_, value_at)| value_at == spot.at) => {
                spots = read_braces(spot.at, rest, &mut word)?;
                continue;
            }
            character if character.is_whitespace() => break,
            character if is_typographic_quote(character) => return Err(typographic(*spot)),
            '=' if word.equals.is_none() => {
                word.equals = Some((word.text.len(), spot.at.next()));
                word.text.push('=');
            }
            character => word.text.push(visible(character, spot.at)?),
        }
        word.end = spot.at.next();
        spots = rest;
    }
    Ok((word, spots))
}

/// Reads to the closing quote; `spots` begins after the opening one, which stood at `open`.
fn read_quoted<'a>(
    open: Position,
    mut spots: &'a [Spot],
    word: &mut Word,
) -> Result<&'a [Spot], LicenseError> {
    let mut typographic_inside = None;
    let mut in_indentation = false;
    while let Some((spot, rest)) = spots.split_first() {
        spots = rest;
        match spot.character {
            '"' => {
                word.end = spot.at.next();
                return Ok(spots);
            }
            JOINT => in_indentation = true,
            ' ' | '\t' if in_indentation => {}
            character => {
                in_indentation = false;
                if is_typographic_quote(character) {
                    typographic_inside = typographic_inside.or(Some(*spot));
                }
                let blank = character.is_whitespace();
                word.text.push(if blank { ' ' } else { visible(character, spot.at)? });
            }
        }
    }
    // The usual way to lose a closing quote is to copy a curly one from a document.
    Err(match typographic_inside {
        Some(spot) => typographic(spot),
        None => open.error(
            "the quote that opens here is not closed",
            "write \" at the end of the value, and \\ at the end of each line the value continues on",
        ),
    })
}

/// Reads to the brace that closes the one at `open`, keeping the braces and everything between them.
fn read_braces<'a>(
    open: Position,
    mut spots: &'a [Spot],
    word: &mut Word,
) -> Result<&'a [Spot], LicenseError> {
    let mut depth = 1usize;
    word.text.push('{');
    while let Some((spot, rest)) = spots.split_first() {
        spots = rest;
        match spot.character {
            '{' => depth = depth.saturating_add(1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let blank = spot.character.is_whitespace();
        word.text.push(if blank { ' ' } else { visible(spot.character, spot.at)? });
        word.end = spot.at.next();
        if depth == 0 {
            return Ok(spots);
        }
    }
    Err(open.error(
        "the brace that opens here is not closed",
        "write } at the end of the value, and \\ at the end of each line the value continues on",
    ))
}

/// Text glued to a closing quote nearly always means that a quote before it was lost.
fn expect_blank(spots: &[Spot], word: &Word) -> Result<(), LicenseError> {
    match spots.first() {
        Some(spot) if is_typographic_quote(spot.character) => Err(typographic(*spot)),
        Some(spot) if !spot.character.is_whitespace() => Err(spot.at.error(
            format!("text follows directly after the closing quote of {}", shown(&word.text)),
            "write a blank between them, or close the quote that was opened earlier",
        )),
        _ => Ok(()),
    }
}

fn is_typographic_quote(character: char) -> bool {
    matches!(character, '“' | '”' | '„' | '‟' | '″' | '«' | '»' | '‘' | '’')
}

fn typographic(spot: Spot) -> LicenseError {
    spot.at.error(
        format!("{} is a typographic quotation mark, as in a formatted document", spot.character),
        "write a straight \" instead",
    )
}

/// The character, unless it is one that would corrupt a terminal or a log when printed.
fn visible(character: char, at: Position) -> Result<char, LicenseError> {
    if character.is_control() {
        let name = character.escape_unicode();
        return Err(at.error(format!("the control character {name} stands in the line"), "remove it"));
    }
    Ok(character)
}
