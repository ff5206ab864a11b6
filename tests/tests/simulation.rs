//! A few seeds of the simulated triad on every change; `sim` runs as many as one likes.

use licensing_tests::simulation::{FaultCounts, Options, run};

/// Seeds of every run; a seed that once found something is added here.
const SEEDS: std::ops::Range<u64> = 1..13;

#[test]
fn no_claim_is_found_untrue_under_faults() {
    let mut counts = FaultCounts::default();
    for seed in SEEDS {
        let report = run(&Options::of(seed));
        assert!(
            report.violations.is_empty(),
            "{:#?}\nreplay: cargo run --release -p licensing-tests --bin sim -- --seed {seed}",
            report.violations
        );
        assert!(report.answers > 500, "seed {seed} hardly served: {} answers", report.answers);
        counts.add(&report.counts);
    }
    // A run set that did not see every kind of fault proves nothing about it.
    let FaultCounts { crashes, blackouts, isolations, cuts, wipes } = counts;
    assert!([crashes, blackouts, isolations, cuts, wipes].iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 8] {
        let (first, second) = (run(&Options::of(seed)), run(&Options::of(seed)));
        assert_eq!(first.trace, second.trace, "seed {seed}");
    }
}
