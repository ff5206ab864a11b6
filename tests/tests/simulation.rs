//! Simulated servers on every change: triads, triads that are upgraded, single servers, by seed. A fixed set, the same always
//! (`LICENSING_SEEDS=100000` takes as many as one likes, and so does `sim`); seeds that once found something; and fresh ones,
//! which the content of the commit decides: nobody has played them before, and whoever commits can (`make seeds`).

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use licensing_tests::oracle::Verdict;
use licensing_tests::simulation::{Kind, Options, Report, run_triad};

/// Seeds of every run, unless told otherwise.
const SEEDS: u64 = 400;

/// Fresh seeds of every content.
const FRESH: u64 = 700;

/// The content whose fresh seeds are played, as git names a tree; that of the last commit unless set.
const TREE: &str = "LICENSING_TREE";

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
    // More sessions were silent than one proposal ends, and each proposal waited for the next look.
    (Kind::Triad, 846_313_249_270_202),
    // Two long licenses on their way at the same time: the parts of one were missed by the other.
    (Kind::Upgrade, 9_000_128),
    (Kind::Upgrade, 9_000_261),
    (Kind::Triad, 9_000_289),
    // The harness took a server for away that had just come back.
    (Kind::Triad, 777_242),
    (Kind::Triad, 3_003_652),
    (Kind::Triad, 3_005_372),
    // An operator took away seats whose client had not waited for them.
    (Kind::Upgrade, 954_397_534_677_148),
    // The only server that could have served was in maintenance, and nobody was there to take it out.
    (Kind::Triad, 50_000_282),
    (Kind::Upgrade, 50_100_068),
    // A client behind a balancer stayed with standbys that had learned of a master meanwhile, until its session ended.
    (Kind::Triad, 90_000_307),
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

/// Plays the seeds, and gives how often what happened.
fn all_are_good(seeds: Range<u64>) -> (BTreeMap<&'static str, u64>, Verdict) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut verdict, mut simulated) = (Verdict::default(), Duration::ZERO);
    let played = seeds.end - seeds.start;
    for (seed, report) in run_all(seeds) {
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
        "{played} seeds, {:.2} simulated hours, {verdict:?}, {counts:#?}",
        simulated.as_secs_f64() / 3600.0
    );
    (counts, verdict)
}

/// The name of a tree as a number to begin with: so large that the sets of two trees hardly ever meet, and no fixed set does.
fn first_seed(tree: &str) -> Option<u64> {
    let digits = tree.trim().get(..12)?;
    Some(u64::from_str_radix(digits, 16).ok()? * 4 + (1 << 40))
}

/// What this tree was at its last commit.
fn committed() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "HEAD^{tree}"]);
    let told = git.output().ok().filter(|told| told.status.success())?;
    String::from_utf8(told.stdout).ok()
}

#[test]
fn fresh_seeds_of_this_content_find_nothing() {
    let Some(tree) = std::env::var(TREE).ok().or_else(committed) else {
        return eprintln!("SKIPPED: this is no checkout of git, and {TREE} names no tree");
    };
    let first = first_seed(&tree).unwrap_or_else(|| panic!("{TREE}: `{tree}` is no tree of git"));
    eprintln!("fresh seeds {first} to {}; the same again: {TREE}={}", first + FRESH - 1, tree.trim());
    all_are_good(first..first + FRESH);
}

#[test]
fn the_fixed_set_finds_nothing_and_sees_everything() {
    let seeds = std::env::var("LICENSING_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let (counts, verdict) = all_are_good(1..seeds + 1);
    assert!(verdict.with_data > 0 && verdict.data_set > 0, "nobody kept data: {verdict:?}");
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
