//! Cuts a recording at many instants and judges what is left.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::disk::{Disk, Image, Model, POWER_CUTS};
use super::format::Record;
use super::judge::{Progress, judge_cut};
use super::plan::Plan;
use super::run::{Inspector, Recording};
use crate::simulation::random::Stream;

/// One cut: after so many records, under a model, with dice for what the model leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// Records that were carried out before it.
    pub at: usize,
    /// What becomes of what was not synced.
    pub model: Model,
    /// Seed of the model's choices.
    pub dice: u64,
}

/// Chooses cuts: every second right behind an acknowledgement, where a broken promise shows, the others anywhere.
pub fn choose(records: &[Record], seed: u64, count: usize) -> Vec<Cut> {
    let random = Stream::new(seed, "cuts");
    let is_done = |record: &Record| matches!(record, Record::Note { text } if text.starts_with("done"));
    let done: Vec<usize> = (0..records.len()).filter(|place| is_done(&records[*place])).collect();
    let mut cuts: Vec<Cut> = (0..count)
        .map(|number| {
            let below = |limit: usize| usize::try_from(random.below(limit as u64)).unwrap_or_default();
            let at = match number % 2 {
                0 if !done.is_empty() => done[below(done.len())] + 1,
                _ => below(records.len() + 1),
            };
            Cut { at, model: POWER_CUTS[number / 2 % POWER_CUTS.len()], dice: random.next() }
        })
        .collect();
    cuts.sort();
    cuts
}

/// A cut after which a promise was broken.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The cut.
    pub cut: Cut,
    /// The promise.
    pub problem: String,
}

/// Plays a recording on a disk that held `before`, and judges every cut.
pub fn judge_all(
    plan: &Plan,
    before: &Image,
    records: &[Record],
    cuts: &[Cut],
    inspector: &mut Inspector,
) -> Vec<Broken> {
    each(before, records, cuts, |cut, progress, image| {
        let found = inspector.inspect(image);
        found.and_then(|found| judge_cut(plan, progress, &found)).err().map(|problem| Broken { cut, problem })
    })
}

/// Builds the disk of every cut, in order, and collects what `look` makes of it.
pub fn each<T>(
    before: &Image,
    records: &[Record],
    cuts: &[Cut],
    mut look: impl FnMut(Cut, &Progress, &Image) -> Option<T>,
) -> Vec<T> {
    let (mut disk, mut progress, mut played) = (Disk::holding(before), Progress::default(), 0);
    let mut seen = Vec::new();
    for cut in cuts {
        for record in &records[played..cut.at] {
            disk.play(record).unwrap_or_else(|| panic!("{record:?} is about a file nobody has seen"));
            progress.hear(record);
        }
        played = cut.at;
        let image = disk.image(cut.model, &Stream::new(cut.dice, "model"));
        seen.extend(look(*cut, &progress, &image));
    }
    seen
}

/// Makes sure that a recording tells all: played to the end, it leads to the disk the program left behind.
///
/// # Panics
///
/// It does not.
pub fn check_complete(before: &Image, recording: &Recording) {
    let end = Cut { at: recording.records.len(), model: Model::Kept, dice: 0 };
    each(before, &recording.records, &[end], |_, _, image| {
        for path in image.keys().chain(recording.end.keys()) {
            assert!(image.get(path) == recording.end.get(path), "{} is not as recorded", path.display());
        }
        None::<()>
    });
}

/// How many of the cuts were of which model.
pub fn census(cuts: &[Cut]) -> BTreeMap<Model, usize> {
    let mut census = BTreeMap::new();
    cuts.iter().for_each(|cut| *census.entry(cut.model).or_default() += 1);
    census
}

/// Keeps a recording whose cut broke a promise, and says how to look at it again: what a plan writes when differs from run
/// to run, so the seed alone does not repeat it.
pub fn keep(seed: u64, length: usize, records: &[Record], broken: &[Broken]) -> String {
    let path: PathBuf =
        std::env::temp_dir().join(format!("recording-{seed}-{length}-{}", std::process::id()));
    let bytes: Vec<u8> = records.iter().flat_map(Record::to_bytes).collect();
    let kept = std::fs::write(&path, bytes)
        .map_or_else(|error| format!("not kept: {error}"), |()| path.display().to_string());
    let mut text = String::new();
    for Broken { cut: Cut { at, model, dice }, problem } in broken {
        text.push_str(&format!(
            "seed {seed}, {model:?} cut after {at} records: {problem}\n  replay: LICENSING_RECORDING={kept} \
             LICENSING_CUT={seed}:{length}:{at}:{model:?}:{dice} cargo test -p licensing-tests --test store_power_cut \
             -- --ignored judge_a_cut\n"
        ));
    }
    text
}
