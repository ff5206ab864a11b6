//! A file of the product: its functions, and what of them never ran. The source is read as `rustfmt` leaves it: a function
//! ends with the brace that stands as far in as its first word.

use std::collections::BTreeMap;
use std::fmt;

/// What never ran: a file, a function, or a piece of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hole {
    /// The file, from the root of the workspace.
    pub path: String,
    /// The function with its type, `Node::start`; none outside of functions, and where it is about a whole file.
    pub function: Option<String>,
    /// First line of the piece; none where nothing of the function, or of the file, ran.
    pub text: Option<String>,
    /// Where it begins, for whoever looks; no part of the name.
    pub line: usize,
}

impl fmt::Display for Hole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.path)?;
        if let Some(function) = &self.function {
            write!(formatter, "::{function}")?;
        }
        self.text.as_ref().map_or(Ok(()), |text| write!(formatter, ": {text}"))
    }
}

struct Function {
    name: String,
    first: usize,
    last: usize,
}

/// The text of a file, and where its functions are.
pub struct Source {
    path: String,
    lines: Vec<String>,
    functions: Vec<Function>,
}

impl Source {
    /// Reads a file.
    pub fn read(path: &str, text: &str) -> Source {
        let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        Source { path: path.to_owned(), functions: functions(&lines), lines }
    }

    /// Whether there is anything in it that could run.
    pub fn has_functions(&self) -> bool {
        !self.functions.is_empty()
    }

    /// Whether a function, or a line in it, is there.
    pub fn has(&self, function: Option<&str>, text: Option<&str>) -> bool {
        match function {
            Some(name) => self.functions.iter().filter(|function| function.name == name).any(|function| {
                text.is_none_or(|text| {
                    self.lines[function.first - 1..function.last].iter().any(|line| line.trim() == text)
                })
            }),
            None => text.is_none_or(|text| self.lines.iter().any(|line| line.trim() == text)),
        }
    }

    /// What of this file never ran, from how often each line did.
    pub fn holes(&self, counts: &BTreeMap<usize, u64>) -> Vec<Hole> {
        let mut holes = Vec::new();
        // Lines of each function, by the place of the function; those outside of all come first.
        let mut rooms: BTreeMap<Option<usize>, Vec<(usize, u64)>> = BTreeMap::new();
        for (&line, &count) in counts {
            rooms.entry(self.innermost(line)).or_default().push((line, count));
        }
        for (room, lines) in rooms {
            let function = room.map(|place| &self.functions[place]);
            let hole = |line: usize, text| Hole {
                path: self.path.clone(),
                function: function.map(|function| function.name.clone()),
                text,
                line,
            };
            if let Some(function) = function
                && lines.iter().all(|(_, count)| *count == 0)
            {
                holes.push(hole(function.first, None));
                continue;
            }
            for piece in lines.chunk_by(|before, after| (before.1 == 0) == (after.1 == 0)) {
                let says = |line: &usize| self.lines.get(line - 1).is_some_and(|text| !is_punctuation(text));
                let first = piece.iter().filter(|(_, count)| *count == 0).map(|(line, _)| *line).find(says);
                if let Some(line) = first {
                    holes.push(hole(line, Some(self.lines[line - 1].trim().to_owned())));
                }
            }
        }
        holes
    }

    /// The place of the function a line is in.
    fn innermost(&self, line: usize) -> Option<usize> {
        let around = self.functions.iter().enumerate().filter(|(_, it)| (it.first..=it.last).contains(&line));
        around.max_by_key(|(_, function)| function.first).map(|(place, _)| place)
    }
}

/// Whether a line only closes what others have opened: behind a loop without an end, for one, no brace ever runs.
fn is_punctuation(line: &str) -> bool {
    line.chars().all(|letter| letter.is_whitespace() || "(){}[];,?".contains(letter))
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn functions(lines: &[String]) -> Vec<Function> {
    let mut found = Vec::new();
    // The type whose `impl` is open, and how far in it stands.
    let mut owner: Option<(usize, String)> = None;
    for (at, line) in lines.iter().enumerate() {
        let depth = depth(line);
        if owner.as_ref().is_some_and(|(outer, _)| line.trim_start().starts_with('}') && depth == *outer) {
            owner = None;
        }
        owner = type_of(line).map(|name| (depth, name)).or(owner);
        if let Some(name) = name_of(line)
            && let Some(last) = last_line(&lines[at..], depth)
        {
            let owner = owner.as_ref().filter(|(outer, _)| *outer < depth);
            let name = owner.map_or(name.to_owned(), |(_, owner)| format!("{owner}::{name}"));
            found.push(Function { name, first: at + 1, last: at + last + 1 });
        }
    }
    found
}

/// How many lines behind its first one a function ends; none when it has no body.
fn last_line(lines: &[String], outer: usize) -> Option<usize> {
    for (at, line) in lines.iter().enumerate() {
        let text = line.trim();
        if (at == 0 || depth(line) == outer) && text.ends_with(';') {
            return None;
        }
        if (at == 0 && text.ends_with('}')) || (at > 0 && depth(line) == outer && text.ends_with('}')) {
            return Some(at);
        }
    }
    None
}

/// The name of the function that begins in a line.
fn name_of(line: &str) -> Option<&str> {
    let mut words = line.trim_start();
    if words.starts_with("//") {
        return None;
    }
    loop {
        if let Some(rest) = words.strip_prefix("fn ") {
            return rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
        }
        let (word, rest) = words.split_once(' ')?;
        if !(word.starts_with("pub") || matches!(word, "const" | "async" | "unsafe")) {
            return None;
        }
        words = rest;
    }
}

/// The type an `impl` or a `trait` that begins in a line is about.
fn type_of(line: &str) -> Option<String> {
    let text = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
    let rest = text
        .strip_prefix("impl")
        .filter(|rest| rest.starts_with([' ', '<']))
        .or(text.strip_prefix("trait "))?;
    let rest = without_brackets(rest);
    let rest = rest.split_once(" for ").map_or(rest.as_str(), |(_, subject)| subject);
    let name = rest
        .trim()
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':')
        .next()?;
    let name = name.rsplit("::").next()?.trim_matches(':');
    (!name.is_empty()).then(|| name.to_owned())
}

/// A text without what stands in angle brackets; `->` is none.
fn without_brackets(text: &str) -> String {
    let (mut kept, mut open, mut before) = (String::new(), 0, ' ');
    for letter in text.chars() {
        match letter {
            '<' => open += 1,
            '>' if before != '-' => open -= i32::from(open > 0),
            _ if open == 0 => kept.push(letter),
            _ => {}
        }
        before = letter;
    }
    kept
}
