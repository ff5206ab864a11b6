//! Cuts a recording at many instants and judges what is left.

use std::collections::BTreeMap;

use super::disk::{Disk, Model, POWER_CUTS};
use super::format::Record;
use super::image::Image;
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
    /// Seed of the model's choices, or the choice itself.
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
        let image = disk.image(cut.model, cut.dice);
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

/// Most broken promises of a recording that are told: the first ones tell more than the rest.
const TOLD: usize = 10;

/// Says which promises were broken in a recording, and how to look at it again. It is kept for that: what a plan writes
/// when differs from run to run, so its name alone does not repeat it. A good one is not kept, and nothing is said.
pub fn report(recording: &Recording, broken: &[Broken]) -> String {
    if broken.is_empty() {
        return String::new();
    }
    let (kept, outline) = (recording.keep(), recording.outline);
    let mut text = String::new();
    for Broken { cut: Cut { at, model, dice }, problem } in &broken[..broken.len().min(TOLD)] {
        text.push_str(&format!(
            "plan {outline}, {model:?} cut after {at} records: {problem}\n  replay: LICENSING_RECORDING={kept} \
             LICENSING_CUT={outline}:{at}:{model:?}:{dice} cargo test -p licensing-tests --test store_power_cut \
             -- --ignored judge_a_cut\n"
        ));
    }
    text.push_str(&format!("plan {outline}: {} broken promises\n", broken.len()));
    text
}
