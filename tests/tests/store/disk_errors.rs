//! Writes and syncs that fail: the store says so, acknowledges nothing it does not have, and loses nothing it had.
//!
//! `LICENSING_FAILURES` makes it a long run: so many failures of each kind.

use std::collections::BTreeMap;

use licensing_tests::power_cut::cut::{self, Cut};
use licensing_tests::power_cut::disk::Model;
use licensing_tests::power_cut::format::Record;
use licensing_tests::power_cut::image::Image;
use licensing_tests::power_cut::judge::judge_cut;
use licensing_tests::power_cut::outline::Outline;
use licensing_tests::power_cut::plan::Plan;
use licensing_tests::power_cut::run::{Failure, Inspector, Programs};

const STEPS: usize = 40;
const FAILURES_PER_KIND: u64 = 12;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

fn failures_per_kind() -> u64 {
    std::env::var("LICENSING_FAILURES").ok().and_then(|text| text.parse().ok()).unwrap_or(FAILURES_PER_KIND)
}

/// The store failed like this; now the disk works again. As it was left, and after a power cut on top of it.
fn check(
    programs: &Programs,
    inspector: &mut Inspector,
    seed: u64,
    failure: Failure,
) -> Result<bool, String> {
    let recording = programs.record(Outline::drawn(seed, STEPS), &Image::new(), Some(failure));
    let finished = |record: &&Record| matches!(record, Record::Note { text } if text == "finished");
    let mut during = recording.records.iter().take_while(|record| !finished(record));
    let failed = during.any(|record| matches!(record, Record::Failed { .. }));
    let (plan, progress) = (Plan::of(recording.outline), recording.progress());
    if failed && progress.stopped.is_none() {
        return Err("nobody was told".to_owned());
    }
    if failed && progress.stopped.as_deref() == Some("") {
        return Err("nobody was told why".to_owned());
    }
    let at = recording.records.len();
    let cuts = [Model::Kept, Model::Strict, Model::Torn].map(|model| Cut { at, model, dice: failure.from });
    let problems = cut::judge_all(&plan, &Image::new(), &recording.records, &cuts, inspector);
    match problems.first() {
        Some(broken) => Err(format!("{:?}: {}", broken.cut.model, broken.problem)),
        None => inspector
            .inspect(&recording.end)
            .and_then(|found| judge_cut(&plan, &progress, &found))
            .map(|()| failed),
    }
}

#[test]
fn a_store_whose_disk_fails_says_so_and_loses_nothing_it_acknowledged() {
    let Some(programs) = Programs::find(env!("CARGO_BIN_EXE_store-run")) else { return };
    let (mut inspector, mut broken) = (programs.inspector(), String::new());
    let mut count: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for seed in [2, 3] {
        let whole = programs.record(Outline::drawn(seed, STEPS), &Image::new(), None);
        let writes = whole.count(|record| matches!(record, Record::Write { .. }));
        let syncs = whole.count(|record| matches!(record, Record::Sync { .. } | Record::Range { .. }));
        for (syncs, errno, calls) in [(false, ENOSPC, writes), (false, EIO, writes), (true, EIO, syncs)] {
            let kind = format!(
                "{} {}",
                if syncs { "sync" } else { "write" },
                if errno == EIO { "EIO" } else { "ENOSPC" }
            );
            for number in 0..failures_per_kind() {
                let failure = Failure { syncs, from: 1 + number * calls / failures_per_kind(), errno };
                let counted = count.entry(kind.clone()).or_default();
                counted.0 += 1;
                match check(&programs, &mut inspector, seed, failure) {
                    Ok(failed) => counted.1 += u64::from(failed),
                    Err(problem) => broken.push_str(&format!("seed {seed}, {failure:?}: {problem}\n")),
                }
            }
        }
    }
    eprintln!("runs, and how many of them met the error: {count:?}");
    assert!(broken.is_empty(), "{broken}");
    // Runs are not equally long, so the very last call may not come. Most must.
    assert!(count.values().all(|(runs, failed)| failed * 4 >= runs * 3), "{count:?}");
}
