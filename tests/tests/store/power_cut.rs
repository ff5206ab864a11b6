//! The power fails at any instant: a server that starts again has everything it had acknowledged.
//!
//! `LICENSING_CUTS` makes it a long run: so many cuts in all instead of the default.

use licensing_tests::power_cut::cut::{self, Broken, Cut};
use licensing_tests::power_cut::damage::{self, Damage};
use licensing_tests::power_cut::disk::{Image, Model, POWER_CUTS};
use licensing_tests::power_cut::format::Record;
use licensing_tests::power_cut::judge::{Verdict, judge, judge_cut};
use licensing_tests::power_cut::plan::Plan;
use licensing_tests::power_cut::run::Programs;

/// Seeds of the recordings: even ones write small entries, odd ones large ones too.
const SEEDS: [u64; 4] = [2, 3, 4, 5];
/// A long run makes a new recording for every so many cuts.
const CUTS_PER_RECORDING: usize = 100;
const STEPS: usize = 90;

fn programs() -> Option<Programs> {
    Programs::find(env!("CARGO_BIN_EXE_store-run"))
}

fn seeds() -> Vec<u64> {
    let cuts = std::env::var("LICENSING_CUTS").ok().and_then(|text| text.parse::<usize>().ok());
    let long = cuts.map(|cuts| (1..=cuts.div_ceil(CUTS_PER_RECORDING) as u64).collect());
    long.unwrap_or(SEEDS.to_vec())
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_instant() {
    let Some(programs) = programs() else { return };
    let (mut broken, mut count) = (String::new(), 0);
    for seed in seeds() {
        let recording = programs.record(seed, STEPS, &Image::new(), None);
        cut::check_complete(&Image::new(), &recording);
        let cuts = cut::choose(&recording.records, seed, CUTS_PER_RECORDING);
        let plan = Plan::of(seed, STEPS);
        let found =
            cut::judge_all(&plan, &Image::new(), &recording.records, &cuts, &mut programs.inspector());
        let census = cut::census(&cuts);
        eprintln!("seed {seed}: {} records, cuts {census:?}, {} bad", recording.records.len(), found.len());
        count += cuts.len();
        broken.push_str(&cut::keep(seed, STEPS, &recording.records, &found));
    }
    eprintln!("{count} power cuts");
    assert!(broken.is_empty(), "{broken}");
}

/// Every instant of a start, which writes too: the power fails again while a server recovers from the first cut.
#[test]
fn a_second_power_cut_during_the_start_after_the_first_costs_nothing() {
    let Some(programs) = programs() else { return };
    let mut broken = String::new();
    for seed in SEEDS {
        let first = programs.record(seed, STEPS, &Image::new(), None);
        let plan = Plan::of(seed, STEPS);
        let mut inspector = programs.inspector();
        let cuts = cut::choose(&first.records, seed + 100, 3);
        let before = cut::each(&Image::new(), &first.records, &cuts, |_, progress, image| {
            Some((progress.clone(), image.clone()))
        });
        for (number, (progress, image)) in before.iter().enumerate() {
            let start = programs.record(seed, 0, image, None);
            let cuts = cut::choose(&start.records, seed + number as u64, 15);
            let found = cut::each(image, &start.records, &cuts, |cut, _, again| {
                let found = inspector.inspect(again).and_then(|found| judge_cut(&plan, progress, &found));
                found.err().map(|problem| Broken { cut, problem })
            });
            for Broken { cut, problem } in found {
                broken.push_str(&format!("seed {seed}, start {number}, {cut:?}: {problem}\n"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken}");
}

/// A server that finds its log damaged sets it aside, and says first that it is no full member any more. In the other
/// order a power cut in between leaves a member without a memory.
#[test]
fn a_power_cut_while_a_damaged_log_is_set_aside_makes_no_member_without_a_memory() {
    let Some(programs) = programs() else { return };
    let (mut inspector, mut broken, mut mute) = (programs.inspector(), String::new(), 0);
    for seed in SEEDS {
        let recording = programs.record(seed, STEPS, &Image::new(), None);
        let (plan, progress) = (Plan::of(seed, STEPS), recording.progress());
        let files = damage::files(&recording.end);
        let journal = files.iter().filter(|(kind, _)| *kind == "the journal");
        let damaged = journal.fold(recording.end.clone(), |image, (_, path)| {
            Damage::Emptied.done_to(&image, path, seed).unwrap_or(image)
        });
        let start = programs.record(seed, 0, &damaged, None);
        let cuts: Vec<Cut> = (0..=start.records.len())
            .map(|at| Cut { at, model: POWER_CUTS[at % POWER_CUTS.len()], dice: seed * 1000 + at as u64 })
            .collect();
        cut::each(&damaged, &start.records, &cuts, |cut, _, image| {
            match inspector.inspect(image).and_then(|found| judge(&plan, &progress, &found)) {
                Ok(Verdict::Mute) => mute += 1,
                Ok(verdict) => broken.push_str(&format!("seed {seed}, {cut:?}: {verdict:?}\n")),
                Err(problem) => broken.push_str(&format!("seed {seed}, {cut:?}: {problem}\n")),
            }
            None::<()>
        });
    }
    eprintln!("{mute} power cuts while a log was set aside");
    assert!(broken.is_empty(), "{broken}");
}

/// The same recordings, judged as if the store had made a mistake. A judge that finds nothing in them is blind.
fn cuts_that_catch(mistake: impl Fn(Vec<Record>) -> Vec<Record>) -> usize {
    let Some(programs) = programs() else { return 1 };
    let recording = programs.record(2, STEPS, &Image::new(), None);
    let records = mistake(recording.records);
    let cuts = cut::choose(&records, 2, CUTS_PER_RECORDING);
    let found =
        cut::judge_all(&Plan::of(2, STEPS), &Image::new(), &records, &cuts, &mut programs.inspector());
    found.len()
}

#[test]
fn the_judge_sees_a_write_without_the_sync_behind_it() {
    let caught = cuts_that_catch(|records| {
        let is_journal = |record: &Record| match record {
            Record::Create { path, inode } | Record::Open { path, inode } if path.contains("/log/") => {
                Some(*inode)
            }
            _ => None,
        };
        let journal: Vec<u64> = records.iter().filter_map(is_journal).collect();
        let left_out = |record: &Record| matches!(record, Record::Sync { inode } if journal.contains(inode));
        records.into_iter().filter(|record| !left_out(record)).collect()
    });
    assert!(caught > 0);
}

#[test]
fn the_judge_sees_an_acknowledgement_before_the_sync() {
    let caught = cuts_that_catch(|records| {
        let note = |text: String| Record::Note { text };
        let mut early = Vec::new();
        for record in records {
            let asked = match &record {
                Record::Note { text } => text.strip_prefix("asked ").map(str::to_owned),
                _ => None,
            };
            early.push(record);
            // The purges are never acknowledged, and do no harm when they are.
            early.extend(asked.map(|number| note(format!("done {number}"))));
        }
        early
    });
    assert!(caught > 0);
}

/// `LICENSING_RECORDING` and `LICENSING_CUT`, as a failed run prints them.
#[test]
#[ignore = "judges a kept recording again"]
fn judge_a_cut() {
    let Some(programs) = programs() else { return };
    let path = std::env::var("LICENSING_RECORDING").expect("LICENSING_RECORDING names a recording");
    let records = Record::read_all(&std::fs::read(path).expect("it can be read")).expect("it is a recording");
    let cut = std::env::var("LICENSING_CUT").expect("LICENSING_CUT is seed:length:at:model:dice");
    let parts: Vec<&str> = cut.split(':').collect();
    let number = |place: usize| parts[place].parse::<u64>().expect("a number");
    let model = POWER_CUTS.into_iter().chain([Model::Kept]).find(|model| format!("{model:?}") == parts[3]);
    let size = |place: usize| usize::try_from(number(place)).expect("a size");
    let cut = Cut { at: size(2), model: model.expect("a model"), dice: number(4) };
    let plan = Plan::of(number(0), size(1));
    let found = cut::judge_all(&plan, &Image::new(), &records, &[cut], &mut programs.inspector());
    assert!(found.is_empty(), "{found:?}");
}
