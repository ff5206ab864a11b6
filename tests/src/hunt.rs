//! Planting a bug and simulating until somebody notices. Only in the build that has them: see [`crate::mutants`].

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use licensing_core::mutant::{Mutant, plant};

use crate::simulation::{Kind, Options, run_triad};

/// A mutant that was noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catch {
    /// The seed that did it.
    pub seed: u64,
    /// How many it took.
    pub seeds: u64,
    /// The first claim that was found untrue, and what was found.
    pub found: String,
}

/// Plants a mutant (or none), simulates one seed after the other until one of them notices, and takes it out again. It
/// is planted for the whole process: nothing else may be simulated meanwhile.
pub fn hunt(mutant: Option<Mutant>, seeds: Range<u64>) -> Option<Catch> {
    plant(mutant);
    let first = seeds.start;
    let caught = seeds.into_iter().find_map(|seed| {
        let found = first_violation(seed)?;
        Some(Catch { seed, seeds: seed - first + 1, found })
    });
    plant(None);
    caught
}

/// What is untrue in the run of a seed. A panic is a violation too: no disk and no network may make a server panic.
fn first_violation(seed: u64) -> Option<String> {
    let judged = catch_unwind(AssertUnwindSafe(|| run_triad(Kind::Triad, &Options::of(seed)).violations));
    match judged {
        Ok(violations) => violations.first().map(ToString::to_string),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
            Some(format!("a panic: {text}"))
        }
    }
}
