//! The tests are judged: planted bugs must be noticed, and nothing else. `licensing_tests::mutants` is the catalogue.
//!
//! There are no mutants in the build that this test belongs to, so it has itself built again, with them, and looks on.
//! There a mutant is planted for the whole process, so this file has a process of its own and one test that simulates.
//! It takes a few that are noticed within a seed or two; `LICENSING_MUTANTS=all` takes all that the simulation must
//! notice, each with as many seeds as it may take.

/// Selected as the whole workspace, because that is what has been built already: for one package alone cargo would
/// choose other features of the dependencies and build them all again.
#[cfg(not(licensing_mutants))]
#[test]
fn planted_bugs_are_noticed_in_the_build_that_has_them() {
    let mut cargo = licensing_tests::mutants::cargo("test");
    cargo.args(["--workspace", "--test", "mutants", "--", "--nocapture"]);
    let ended = cargo.status().expect("cargo can be started");
    assert!(ended.success(), "the tests of the build with planted bugs ended with {ended}");
}

#[cfg(licensing_mutants)]
mod with_mutants {
    use licensing_core::mutant::Mutant;
    use licensing_tests::hunt::hunt;
    use licensing_tests::mutants::{CATALOGUE, NoticedBy};

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
}
