//! A few seeds of the simulated triad on every change; `sim` runs as many as one likes.

use std::collections::BTreeMap;

use licensing_tests::simulation::{Options, Triad, run, seen, triad};

/// Seeds of every run; a seed that once found something is added here.
const SEEDS: std::ops::Range<u64> = 1..41;

#[test]
fn no_claim_is_found_untrue_under_faults() {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in SEEDS {
        let report = run(Triad::default(), &Options::of(seed));
        assert!(
            report.violations.is_empty(),
            "{:#?}\nreplay: cargo run --release -p licensing-tests --bin sim -- --seed {seed}",
            report.violations
        );
        for (what, count) in report.counts {
            *counts.entry(what).or_default() += count;
        }
    }
    // A run set that did not see everything proves nothing about it.
    let missing: Vec<_> =
        seen::ALL.iter().chain(triad::seen::ALL).filter(|what| !counts.contains_key(*what)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?} among {counts:#?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 8] {
        let (first, second) =
            (run(Triad::default(), &Options::of(seed)), run(Triad::default(), &Options::of(seed)));
        assert_eq!(first.trace, second.trace, "seed {seed}");
    }
}
