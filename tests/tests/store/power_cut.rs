//! The power fails at any instant: a server that starts again has everything it had acknowledged.
//!
//! `LICENSING_CUTS` makes it a long run: so many cuts in all instead of the default, and every instant of so many plans that
//! as many disks are opened.

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use licensing_tests::power_cut::cut::{self, Broken, Cut};
use licensing_tests::power_cut::damage::{self, Damage};
use licensing_tests::power_cut::disk::{Model, POWER_CUTS};
use licensing_tests::power_cut::format::Record;
use licensing_tests::power_cut::image::Image;
use licensing_tests::power_cut::instants::Instants;
use licensing_tests::power_cut::judge::{Verdict, judge, judge_cut};
use licensing_tests::power_cut::outline::{Course, Outline};
use licensing_tests::power_cut::plan::Plan;
use licensing_tests::power_cut::run::{Programs, Recording};

/// Seeds of the recordings: even ones write small entries, odd ones large ones too.
const SEEDS: [u64; 4] = [2, 3, 4, 5];
/// A long run makes a new recording for every so many cuts.
const CUTS_PER_RECORDING: usize = 100;
const STEPS: usize = 90;

fn programs() -> Option<Programs> {
    Programs::find(env!("CARGO_BIN_EXE_store-run"))
}

/// How many cuts a long run makes.
fn cuts() -> Option<usize> {
    std::env::var("LICENSING_CUTS").ok().and_then(|text| text.parse().ok())
}

fn seeds() -> Vec<u64> {
    let long = cuts().map(|cuts| (1..=cuts.div_ceil(CUTS_PER_RECORDING) as u64).collect());
    long.unwrap_or(SEEDS.to_vec())
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_instant() {
    let Some(programs) = programs() else { return };
    let (mut broken, mut count) = (String::new(), 0);
    for seed in seeds() {
        let recording = programs.record(Outline::drawn(seed, STEPS), &Image::new(), None);
        cut::check_complete(&Image::new(), &recording);
        let cuts = cut::choose(&recording.records, seed, CUTS_PER_RECORDING);
        let plan = Plan::of(recording.outline);
        let found =
            cut::judge_all(&plan, &Image::new(), &recording.records, &cuts, &mut programs.inspector());
        let census = cut::census(&cuts);
        eprintln!("seed {seed}: {} records, cuts {census:?}, {} bad", recording.records.len(), found.len());
        count += cuts.len();
        broken.push_str(&cut::report(&recording, &found));
    }
    eprintln!("{count} power cuts");
    assert!(broken.is_empty(), "{broken}");
}

/// Records a plan and judges every disk that every instant of it may leave. Says what was broken.
fn every_instant_of(programs: &Programs, instants: &mut Instants, outline: Outline) -> String {
    let recording = programs.record(outline, &Image::new(), None);
    cut::check_complete(&Image::new(), &recording);
    let plan = Plan::of(outline);
    let found = instants
        .judge(&Image::new(), &recording.records, |progress, found| judge_cut(&plan, progress, found));
    eprintln!("plan {outline}: {} records, {:?} so far", recording.records.len(), instants.census());
    cut::report(&recording, &found)
}

/// A tour, and in a long run plans of every second seed until half of the cuts are made: another test makes the rest.
fn check_every_instant(first: u64) {
    let Some(programs) = programs() else { return };
    let mut instants = Instants::new(programs.inspector());
    let mut broken = every_instant_of(&programs, &mut instants, Outline::tour(first));
    let mut seeds = (first..).step_by(2);
    while instants.census().opened < cuts().unwrap_or(0) / 2 {
        let seed = seeds.next().expect("seeds do not end");
        broken.push_str(&every_instant_of(&programs, &mut instants, Outline::drawn(seed, STEPS)));
    }
    assert!(broken.is_empty(), "{broken}");
}

#[test]
fn every_instant_of_a_tour_of_small_entries_leaves_a_whole_store() {
    check_every_instant(2);
}

#[test]
fn every_instant_of_a_tour_of_license_files_leaves_a_whole_store() {
    check_every_instant(3);
}

/// What a tour does to names and files decides what its instants can show.
#[test]
fn a_tour_comes_by_everything_that_a_store_does_to_its_names() {
    let Some(programs) = programs() else { return };
    for seed in [2, 3] {
        let recording = programs.record(Outline::tour(seed), &Image::new(), None);
        let count = |which: fn(&str, &str) -> bool| {
            recording.count(|record| match record {
                Record::Rename { from, to } => which(from, to),
                Record::Unlink { path } => which(path, ""),
                _ => false,
            })
        };
        let seen = [
            ("the standing is replaced", count(|_, to| to.ends_with("/triad"))),
            ("a snapshot gets its name", count(|_, to| to.contains("/snapshot-"))),
            ("an older snapshot is removed", count(|from, to| from.contains("/snapshot-") && to.is_empty())),
            ("a file of the journal is set aside", count(|_, to| to.contains("/spare-"))),
            ("a file of the journal is removed", count(|from, to| from.contains("/log/") && to.is_empty())),
        ];
        for (what, count) in seen {
            assert!(count > 0, "tour {seed}: never seen: {what}");
        }
        let (mut set_aside, mut again) = (HashSet::new(), 0);
        for record in &recording.records {
            if let Record::Rename { from, to } = record {
                again += usize::from(set_aside.remove(from));
                set_aside.extend(to.contains("/spare-").then(|| to.clone()));
            }
        }
        assert!(again > 0, "tour {seed}: no file of the journal is used again");
    }
}

/// What is committed is written down along with the next write. The judge once took a server that stopped before it for one
/// that had still applied it, and missed it in the snapshot that came next.
#[test]
fn a_commit_that_a_stop_forgets_is_not_missed_in_the_next_snapshot() {
    let Some(programs) = programs() else { return };
    let mut instants = Instants::new(programs.inspector());
    let outline = Outline { seed: 2, course: Course::StopBehindCommit };
    let broken = every_instant_of(&programs, &mut instants, outline);
    assert!(broken.is_empty(), "{broken}");
}

/// Every instant of a start, which writes too: the power fails again while a server recovers from the first cut.
#[test]
fn a_second_power_cut_during_the_start_after_the_first_costs_nothing() {
    let Some(programs) = programs() else { return };
    let mut broken = String::new();
    for seed in SEEDS {
        let first = programs.record(Outline::drawn(seed, STEPS), &Image::new(), None);
        let plan = Plan::of(Outline::drawn(seed, STEPS));
        let mut inspector = programs.inspector();
        let cuts = cut::choose(&first.records, seed + 100, 3);
        let before = cut::each(&Image::new(), &first.records, &cuts, |_, progress, image| {
            Some((progress.clone(), image.clone()))
        });
        for (number, (progress, image)) in before.iter().enumerate() {
            let start = programs.record(Outline::drawn(seed, 0), image, None);
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

/// What was broken at an instant of a start on a disk that is not empty.
fn told(seed: u64, broken: &[Broken]) -> String {
    let line = |Broken { cut, problem }: &Broken| format!("seed {seed}, {cut:?}: {problem}\n");
    broken.iter().map(line).collect()
}

/// Few writes of a start are new to the disk, so there are few disks to open at its instants.
#[test]
fn every_instant_of_a_start_after_a_power_cut_leaves_a_whole_store() {
    let Some(programs) = programs() else { return };
    let (mut instants, mut broken) = (Instants::new(programs.inspector()), String::new());
    for seed in SEEDS {
        let recording = programs.record(Outline::drawn(seed, STEPS), &Image::new(), None);
        let plan = Plan::of(recording.outline);
        let cuts = cut::choose(&recording.records, seed + 200, 4);
        let left = cut::each(&Image::new(), &recording.records, &cuts, |cut, progress, image| {
            Some((cut, progress.clone(), image.clone()))
        });
        for (first, progress, image) in left {
            let start = programs.record(Outline::drawn(seed, 0), &image, None);
            let found = instants.judge(&image, &start.records, |_, found| judge_cut(&plan, &progress, found));
            if !found.is_empty() {
                broken.push_str(&format!("{first:?}, and in the start after it:\n{}", told(seed, &found)));
            }
        }
    }
    eprintln!("{:?} in starts after a power cut", instants.census());
    assert!(broken.is_empty(), "{broken}");
}

/// The disk at the end of a recording with nothing left of its journal but the names.
fn with_an_emptied_journal(recording: &Recording) -> Image {
    let files = damage::files(&recording.end);
    let journal = files.iter().filter(|(kind, _)| *kind == "the journal");
    journal.fold(recording.end.clone(), |image, (_, path)| {
        Damage::Emptied.done_to(&image, path, recording.outline.seed).unwrap_or(image)
    })
}

/// A server that finds its log damaged sets it aside, and says first that it is no full member any more. In the other
/// order a power cut in between leaves a member without a memory.
#[test]
fn a_power_cut_while_a_damaged_log_is_set_aside_makes_no_member_without_a_memory() {
    let Some(programs) = programs() else { return };
    let (mut inspector, mut broken, mut mute) = (programs.inspector(), String::new(), 0);
    for seed in SEEDS {
        let recording = programs.record(Outline::drawn(seed, STEPS), &Image::new(), None);
        let (plan, progress) = (Plan::of(Outline::drawn(seed, STEPS)), recording.progress());
        let damaged = with_an_emptied_journal(&recording);
        let start = programs.record(Outline::drawn(seed, 0), &damaged, None);
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

/// The same at every instant, with every combination of what was not synced.
#[test]
fn every_instant_at_which_a_damaged_log_is_set_aside_leaves_a_mute_server() {
    let Some(programs) = programs() else { return };
    let (mut instants, mut broken) = (Instants::new(programs.inspector()), String::new());
    for seed in SEEDS {
        let recording = programs.record(Outline::drawn(seed, STEPS), &Image::new(), None);
        let (plan, progress) = (Plan::of(recording.outline), recording.progress());
        let damaged = with_an_emptied_journal(&recording);
        let start = programs.record(Outline::drawn(seed, 0), &damaged, None);
        let found =
            instants.judge(&damaged, &start.records, |_, found| match judge(&plan, &progress, found)? {
                Verdict::Mute => Ok(()),
                verdict => Err(format!("{verdict:?}")),
            });
        broken.push_str(&told(seed, &found));
    }
    eprintln!("{:?} while a log was set aside", instants.census());
    assert!(broken.is_empty(), "{broken}");
}

/// The same recordings, judged as if the store had made a mistake. A judge that finds nothing in them is blind.
fn cuts_that_catch(mistake: impl Fn(Vec<Record>) -> Vec<Record>) -> usize {
    let Some(programs) = programs() else { return 1 };
    let recording = programs.record(Outline::drawn(2, STEPS), &Image::new(), None);
    let records = mistake(recording.records.clone());
    let cuts = cut::choose(&records, 2, CUTS_PER_RECORDING);
    let plan = Plan::of(recording.outline);
    let found = cut::judge_all(&plan, &Image::new(), &records, &cuts, &mut programs.inspector());
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

/// The files below a directory.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("it is a directory");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

/// What a good run leaves behind fills the disk of whoever runs the tests every day; what a bad one does not keep has to be
/// found again.
#[test]
fn a_good_run_leaves_nothing_behind_and_a_bad_one_its_recording() {
    let Some(programs) = programs() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let programs = programs.within(directory.path());
    let outline = Outline::drawn(2, 0);
    let run = |judge: &dyn Fn(&Recording) -> String| {
        let recording = programs.record(outline, &Image::new(), None);
        let mut inspector = programs.inspector();
        inspector.inspect(&recording.end).expect("it can be opened");
        judge(&recording)
    };

    assert_eq!(run(&|recording| cut::report(recording, &[])), "");
    assert_eq!(files_below(directory.path()), Vec::<PathBuf>::new());

    // Elsewhere: the recording was judged, and is no more.
    let elsewhere = catch_unwind(AssertUnwindSafe(|| {
        run(&|recording| cut::report(recording, &[]));
        let _inspector = programs.inspector();
        panic!("something else is wrong");
    }));
    assert!(elsewhere.is_err());
    assert_eq!(files_below(directory.path()), Vec::<PathBuf>::new());

    let cut = Cut { at: 0, model: Model::Strict, dice: 0 };
    let broken = Broken { cut, problem: "it has lost something".to_owned() };
    let said = run(&|recording| cut::report(recording, &[broken.clone(), broken.clone()]));
    let kept = files_below(directory.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(said.contains(&format!("LICENSING_RECORDING={} ", kept[0].display())), "{said}");
    let records = Record::read_all(&fs::read(&kept[0]).expect("it can be read")).expect("it is a recording");
    assert!(records.contains(&Record::Note { text: "finished".to_owned() }), "{records:?}");
    fs::remove_file(&kept[0]).expect("it can be removed");

    // Before anybody could say that the recording is good.
    let unjudged = catch_unwind(AssertUnwindSafe(|| run(&|_| panic!("the judge does not know what to say"))));
    assert!(unjudged.is_err());
    assert_eq!(files_below(directory.path()).len(), 1);
}

/// `LICENSING_RECORDING` and `LICENSING_CUT`, as a failed run prints them.
#[test]
#[ignore = "judges a kept recording again"]
fn judge_a_cut() {
    let Some(programs) = programs() else { return };
    let path = std::env::var("LICENSING_RECORDING").expect("LICENSING_RECORDING names a recording");
    let records = Record::read_all(&std::fs::read(path).expect("it can be read")).expect("it is a recording");
    let cut = std::env::var("LICENSING_CUT").expect("LICENSING_CUT is seed:course:at:model:dice");
    let parts: Vec<&str> = cut.split(':').collect();
    let models = POWER_CUTS.into_iter().chain([Model::Kept, Model::Chosen]);
    let model = models.into_iter().find(|model| format!("{model:?}") == parts[3]);
    let at = parts[2].parse().expect("a number of records");
    let cut = Cut { at, model: model.expect("a model"), dice: parts[4].parse().expect("a number") };
    let plan = Plan::of(format!("{}:{}", parts[0], parts[1]).parse().expect("the name of a plan"));
    let found = cut::judge_all(&plan, &Image::new(), &records, &[cut], &mut programs.inspector());
    assert!(found.is_empty(), "{found:?}");
}
