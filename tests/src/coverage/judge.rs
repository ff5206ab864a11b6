//! What never ran and has no excuse, and what has an excuse and ran.

use std::collections::BTreeMap;
use std::fmt;

use super::{Counts, Excuse, Excuses, Hole, Source};

/// The judgement on a sweep.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What never ran, and nobody said why.
    pub holes: Vec<Hole>,
    /// Excuses that excuse nothing: each with the reason.
    pub stale: Vec<String>,
    /// How many holes are excused.
    pub excused: usize,
    /// How many lines ran, of how many.
    pub lines: (usize, usize),
}

impl Found {
    /// Whether there is nothing to complain about.
    pub fn is_good(&self) -> bool {
        self.holes.is_empty() && self.stale.is_empty()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for hole in &self.holes {
            writeln!(formatter, "never ran: {hole}\n  --> {}:{}", hole.path, hole.line)?;
        }
        for stale in &self.stale {
            writeln!(formatter, "stale excuse: {stale}")?;
        }
        let (ran, all) = self.lines;
        let share = ran as f64 * 100.0 / all.max(1) as f64;
        write!(formatter, "{ran} of {all} lines ran ({share:.1} %); {} holes are excused, ", self.excused)?;
        write!(formatter, "{} are not; {} stale excuses", self.holes.len(), self.stale.len())
    }
}

/// Judges the files of a product (path and text) by how often their lines ran.
pub fn judge(files: &BTreeMap<String, String>, counts: &Counts, excuses: &Excuses) -> Found {
    let mut found = Found::default();
    let mut all = Vec::new();
    let mut sources = BTreeMap::new();
    for (path, text) in files {
        let source = Source::read(path, text);
        match counts.get(path) {
            Some(lines) => {
                found.lines.0 += lines.values().filter(|count| **count > 0).count();
                found.lines.1 += lines.len();
                all.extend(source.holes(lines));
            }
            // Nothing of it got into the program at all.
            None if source.has_functions() => {
                all.push(Hole { path: path.clone(), function: None, text: None, line: 1 });
            }
            None => {}
        }
        sources.insert(path.as_str(), source);
    }
    for excuse in &excuses.0 {
        if let Some(why) = why_stale(excuse, &sources, counts, &all) {
            found.stale.push(format!("{excuse} (line {}): {why}", excuse.line));
        }
    }
    let (excused, holes) =
        all.into_iter().partition(|hole| excuses.0.iter().any(|excuse| excuse.covers(hole)));
    let excused: Vec<Hole> = excused;
    found.excused = excused.len();
    found.holes = holes;
    found
}

fn why_stale(
    excuse: &Excuse,
    sources: &BTreeMap<&str, Source>,
    counts: &Counts,
    holes: &[Hole],
) -> Option<&'static str> {
    let mut about = sources.iter().filter(|(path, _)| {
        if excuse.is_folder() { path.starts_with(&excuse.path) } else { **path == excuse.path }
    });
    let whole = excuse.function.is_none() && excuse.text.is_none();
    if excuse.seldom {
        let there = about.any(|(_, source)| source.has(excuse.function.as_deref(), excuse.text.as_deref()));
        return (!there).then_some("there is no such thing any more");
    }
    if about.clone().next().is_none() {
        return Some("there is no such file any more");
    }
    if whole {
        let ran = |path: &str| counts.get(path).is_some_and(|lines| lines.values().any(|count| *count > 0));
        return about.any(|(path, _)| ran(path)).then_some("something in it ran");
    }
    (!holes.iter().any(|hole| excuse.covers(hole))).then_some("it ran, or is not there any more")
}
