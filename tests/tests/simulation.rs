//! The simulated triad, and a single server, on every change. `LICENSING_SEEDS=100000` takes as many seeds as one likes, and so does `sim`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use licensing_tests::oracle::Verdict;
use licensing_tests::simulation::{Options, Report, run_triad, seen, triad};

/// Seeds of every run, unless told otherwise.
const SEEDS: u64 = 400;

/// Of so many seeds one more is played with a single server.
const OF_SINGLES: u64 = 5;

/// Seeds that once found something.
const FOUND_SOMETHING: &[u64] = &[192, 211, 317];

/// Runs all seeds on all processors and gives the reports as they come.
fn run_all(seeds: Range<u64>, single: bool) -> mpsc::Receiver<(u64, Report)> {
    let (reporting, reports) = mpsc::channel();
    thread::spawn(move || {
        let next = AtomicU64::new(seeds.start);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::SeqCst);
                        let report = || run_triad(&Options { single, ..Options::of(seed) });
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

fn seeds() -> u64 {
    std::env::var("LICENSING_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

/// Plays seeds from 1 on; each must be good, and all together must have seen what is wanted.
fn all_are_good(seeds: u64, single: bool, wanted: &[&str]) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut verdict, mut simulated) = (Verdict::default(), Duration::ZERO);
    let flag = if single { " --single" } else { "" };
    for (seed, report) in run_all(1..seeds + 1, single) {
        assert!(
            report.violations.is_empty(),
            "{:#?}\nreplay: cargo run --release -p licensing-tests --bin sim -- --seed {seed}{flag}",
            report.violations
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
    let missing: Vec<_> = wanted.iter().filter(|what| !counts.contains_key(*what)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?} among {counts:#?}");
}

#[test]
fn no_claim_is_found_untrue_under_faults() {
    let wanted: Vec<&str> = seen::ALL.iter().chain(triad::seen::ALL).copied().collect();
    all_are_good(seeds(), false, &wanted);
}

#[test]
fn no_claim_is_found_untrue_of_a_single_server() {
    all_are_good(seeds().div_ceil(OF_SINGLES), true, triad::seen::SINGLE);
}

#[test]
fn seeds_that_once_found_something_find_nothing_any_more() {
    for seed in FOUND_SOMETHING {
        assert_eq!(run_triad(&Options::of(*seed)).violations, [], "seed {seed}");
    }
}
