//! Simulated servers on every change: triads, triads that are upgraded, single servers, by seed. `LICENSING_SEEDS=100000`
//! takes as many seeds as one likes, and so does `sim`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use licensing_tests::oracle::Verdict;
use licensing_tests::simulation::{Kind, Options, Report, run_triad};

/// Seeds of every run, unless told otherwise.
const SEEDS: u64 = 400;

/// Seeds that once found something, and what they played.
const FOUND_SOMETHING: &[(Kind, u64)] = &[
    (Kind::Triad, 192),
    (Kind::Triad, 211),
    (Kind::Triad, 317),
    // A standby that was promised to a triad which never began was kept out of the one that did.
    (Kind::Upgrade, 21_528),
    (Kind::Triad, 778_055),
    // A leader of the past made a quorum with a server that had lost its disk.
    (Kind::Upgrade, 3_000_291),
    (Kind::Triad, 3_001_712),
    // The harness took a server for away that had just come back.
    (Kind::Triad, 777_242),
    (Kind::Triad, 3_003_652),
    (Kind::Triad, 3_005_372),
];

/// Runs all seeds on all processors and gives the reports as they come.
fn run_all(seeds: Range<u64>) -> mpsc::Receiver<(u64, Report)> {
    let (reporting, reports) = mpsc::channel();
    thread::spawn(move || {
        let next = AtomicU64::new(seeds.start);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::SeqCst);
                        let report = || run_triad(Kind::of(seed), &Options::of(seed));
                        if seed >= seeds.end || reporting.send((seed, report())).is_err() {
                            return;
                        }
                    }
                });
            }
        });
    });
    reports
}

#[test]
fn no_claim_is_found_untrue_under_faults() {
    let seeds = std::env::var("LICENSING_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut verdict, mut simulated) = (Verdict::default(), Duration::ZERO);
    for (seed, report) in run_all(1..seeds + 1) {
        assert!(
            report.is_good(),
            "{report}\nreplay: cargo run --release -p licensing-tests --bin sim -- --seed {seed}",
        );
        simulated += report.simulated;
        verdict.add(&report.verdict);
        for (what, count) in report.counts {
            *counts.entry(what).or_default() += count;
        }
    }
    eprintln!(
        "{seeds} seeds, {:.2} simulated hours, {verdict:?}, {counts:#?}",
        simulated.as_secs_f64() / 3600.0
    );
    // A run set that did not see everything proves nothing about it.
    let missing: Vec<_> =
        Kind::ALL.iter().flat_map(|kind| kind.must_see()).filter(|what| !counts.contains_key(what)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?} among {counts:#?}");
}

#[test]
fn seeds_that_once_found_something_find_nothing_any_more() {
    for (kind, seed) in FOUND_SOMETHING {
        assert_eq!(run_triad(*kind, &Options::of(*seed)).violations, [], "seed {seed} --kind {kind}");
    }
}
