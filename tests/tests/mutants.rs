//! The tests are judged: planted bugs must be noticed, and nothing else. `licensing_tests::mutants` is the catalogue.
//!
//! A mutant is planted for the whole process, so this file has a process of its own and one test that simulates. It
//! takes a few that are noticed within a seed or two; `LICENSING_MUTANTS=all` takes all that the simulation must
//! notice, each with as many seeds as it may take.

use std::process::Command;

use licensing_core::mutant::Mutant;
use licensing_tests::mutants::{CATALOGUE, NoticedBy, hunt};

/// One of each kind: the disk, exactly once, snapshots, the rules, the order of decisions, who serves.
const QUICK: [Mutant; 6] = [
    Mutant::PurgeNotStored,
    Mutant::NoDedup,
    Mutant::SnapshotDropsCheckout,
    Mutant::OneSeatMore,
    Mutant::AnswersShifted,
    Mutant::LeaseIgnored,
];

/// Seeds a mutant may take.
const QUICK_SEEDS: u64 = 10;
const ALL_SEEDS: u64 = 150;

#[test]
fn planted_bugs_are_noticed_and_nothing_else_is() {
    let all = std::env::var("LICENSING_MUTANTS").is_ok_and(|which| which == "all");
    let seeds = if all { ALL_SEEDS } else { QUICK_SEEDS };
    let simulated = CATALOGUE.iter().filter(|entry| entry.noticed_by == NoticedBy::Simulation);
    let mutants = simulated.map(|entry| entry.mutant).filter(|mutant| all || QUICK.contains(mutant));
    let mut missed = Vec::new();
    for mutant in mutants {
        match hunt(Some(mutant), 1..seeds + 1) {
            Some(catch) => eprintln!("M{} {mutant}: {} seeds, {}", mutant.number(), catch.seeds, catch.found),
            None => missed.push(format!(
                "M{} {mutant}: unnoticed by {seeds} seeds\nreplay: cargo run --release -p licensing-tests --bin sim -- \
                 --mutant {mutant} --seeds {seeds}",
                mutant.number()
            )),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert_eq!(hunt(None, 1..3), None, "a bug was noticed that nobody planted");
}

/// What is built for users has no mutants in it, not even switched off.
#[test]
fn a_server_built_for_use_has_no_mutants() {
    let features = |package: &str| {
        let arguments = ["tree", "--offline", "-e", "features,normal", "-i", "licensing-core", "-p", package];
        let output = Command::new(env!("CARGO")).args(arguments).output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it prints UTF-8")
    };
    assert!(!features("licensing-server").contains("mutants"));
    assert!(features("licensing-tests").contains("feature \"mutants\""), "is this test blind?");
}
