//! The judge of seats against the general search, on thousands of small histories, and alone on large ones.

use std::collections::BTreeMap;

use super::random_history::{Defect, Lie, Recipe, history};
use super::search::{Model, Timed, Verdict as General, order_respects_time, search};
use super::seats::{CheckinAnswer, CheckoutAnswer, Holder, Kind, Operation, Pool};
use super::semaphore::{Counterexample, Verdict, judge};

/// Enough for the general search on these small histories.
const GENERAL_BUDGET: u64 = 2_000_000;

const SMALL: Recipe = Recipe {
    operations: 12,
    clients: 4,
    capacity: 3,
    most_seats: 1,
    unknown: 0,
    may_end: 0,
    telling: 50,
    counts: 20,
    longest_us: 40,
    defect: None,
};

fn timed(operations: &[Operation]) -> Vec<Timed<Kind>> {
    operations.iter().map(Operation::timed).collect()
}

fn told(operations: &[Operation]) -> String {
    operations.iter().map(|operation| format!("\n  {operation}")).collect()
}

/// An order is a proof, once somebody else has checked it.
fn assert_explains(capacity: u64, operations: &[Operation], order: &[usize], what: &str) {
    let timed = timed(operations);
    assert!(order_respects_time(&timed, order), "{what}: the order contradicts the clock: {order:?}");
    let mut placed = vec![false; operations.len()];
    let pool = Pool { capacity };
    let mut state = pool.initial();
    for place in order {
        assert!(!std::mem::replace(&mut placed[*place], true), "{what}: operation {place} is placed twice");
        state = pool.step(&state, &operations[*place].kind).unwrap_or_else(|| {
            panic!("{what}: operation {place} would not be answered like that: {order:?}")
        });
    }
    let left_out = (0..operations.len()).find(|place| !placed[*place] && !operations[*place].is_unknown());
    assert_eq!(left_out, None, "{what}: a known operation is not placed");
}

/// With everything else in doubt the kept answers still contradict each other.
fn assert_contradicts(capacity: u64, operations: &[Operation], found: &Counterexample, what: &str) {
    assert!(!found.operations.is_empty(), "{what}: an empty counterexample");
    let doubted = operations.iter().enumerate().filter_map(|(place, operation)| {
        if found.operations.contains(&place) || found.settled.contains(&place) {
            Some(operation.clone())
        } else {
            operation.doubted()
        }
    });
    let doubted: Vec<Operation> = doubted.collect();
    let general = search(&Pool { capacity }, &timed(&doubted), GENERAL_BUDGET);
    assert!(!matches!(general, General::Linearizable(_)), "{what}: not a contradiction: {found}");
}

/// Both judges say the same. Returns whether the history is good.
fn compare(capacity: u64, operations: &[Operation], what: &str) -> Option<bool> {
    let verdict = judge(capacity, operations, 200_000).verdict;
    let general = search(&Pool { capacity }, &timed(operations), GENERAL_BUDGET);
    match (&verdict, &general) {
        (Verdict::Linearizable(order), General::Linearizable(_)) => {
            assert_explains(capacity, operations, order, what);
            Some(true)
        }
        (Verdict::NotLinearizable(found), General::NotLinearizable { .. }) => {
            assert_contradicts(capacity, operations, found, what);
            Some(false)
        }
        (_, General::OutOfBudget) => None,
        _ => panic!("{what}: {verdict:?}, and the search says {general:?}{}", told(operations)),
    }
}

/// All kinds of small histories there are.
fn recipe(seed: u64) -> Recipe {
    Recipe {
        operations: 8 + (seed % 5) as usize,
        clients: 2 + (seed / 5 % 3) as u32,
        capacity: 1 + seed / 7 % 4,
        most_seats: 1 + seed / 11 % 3,
        unknown: [0, 5, 25, 50][(seed / 3 % 4) as usize],
        may_end: [0, 0, 40][(seed / 13 % 3) as usize],
        telling: [0, 50, 100][(seed / 17 % 3) as usize],
        counts: [0, 10, 30][(seed / 19 % 3) as usize],
        ..SMALL
    }
}

#[test]
fn honest_histories_are_good() {
    for seed in 0..2_000 {
        let recipe = recipe(seed);
        let operations = history(seed, recipe);
        let what = format!("seed {seed}");
        assert_ne!(compare(recipe.capacity, &operations, &what), Some(false), "{what}{}", told(&operations));
    }
}

#[test]
fn both_judges_agree_on_every_lie() {
    let (mut good, mut bad) = (0, BTreeMap::new());
    for seed in 0..4_000 {
        let lie = Lie::ALL[(seed % 8) as usize];
        let recipe = recipe(seed);
        let Some(operations) = lie.tell(history(seed, recipe), seed) else { continue };
        match compare(recipe.capacity, &operations, &format!("seed {seed}, {lie:?}")) {
            Some(true) => good += 1,
            Some(false) => *bad.entry(format!("{lie:?}")).or_insert(0) += 1,
            None => {}
        }
    }
    eprintln!("{good} lies can be explained; not: {bad:?}");
    assert!(bad.len() == Lie::ALL.len() && bad.values().all(|count| *count > 10), "{good} good, bad {bad:?}");
}

#[test]
fn both_judges_agree_on_services_with_a_defect() {
    use Defect::{LosesCheckins, LosesCheckouts, OneTooMany, StaleCounts};
    let mut bad = BTreeMap::new();
    for seed in 0..1_600 {
        let defect = [LosesCheckins, LosesCheckouts, OneTooMany, StaleCounts][(seed % 4) as usize];
        let recipe = Recipe { defect: Some(defect), operations: 14, counts: 20, ..recipe(seed) };
        let operations = history(seed, recipe);
        if compare(recipe.capacity, &operations, &format!("seed {seed}, {defect:?}")) == Some(false) {
            *bad.entry(format!("{defect:?}")).or_insert(0) += 1;
        }
    }
    eprintln!("noticed: {bad:?}");
    assert!(bad.len() == 4 && bad.values().all(|count| *count > 20), "{bad:?}");
}

/// A large history: many clients, each of whose requests overlaps with those of most others.
const LARGE: Recipe = Recipe {
    operations: 20_000,
    clients: 200,
    capacity: 120,
    most_seats: 1,
    unknown: 0,
    may_end: 0,
    telling: 100,
    counts: 5,
    longest_us: 5_000,
    defect: None,
};

#[test]
fn large_histories_are_judged_with_about_one_placement_an_operation() {
    let crowd = Recipe { clients: 32, capacity: 20, longest_us: 50_000, ..LARGE };
    for (name, recipe) in [
        ("200 clients", LARGE),
        ("denials that tell nothing", Recipe { telling: 0, counts: 0, ..LARGE }),
        (
            "several seats, and denials that tell nothing",
            Recipe { most_seats: 3, telling: 0, counts: 0, ..LARGE },
        ),
        ("long overlap", crowd),
        ("long overlap, several seats", Recipe { most_seats: 3, ..crowd }),
        ("few clients, several seats", Recipe { clients: 8, most_seats: 3, capacity: 10, ..LARGE }),
        ("5 % unknown", Recipe { unknown: 5, capacity: 600, ..LARGE }),
        ("long overlap, 5 % unknown", Recipe { unknown: 5, capacity: 500, ..crowd }),
        ("sessions that may expire", Recipe { may_end: 5, ..LARGE }),
    ] {
        let operations = history(1, recipe);
        let judgement = judge(recipe.capacity, &operations, 2_000_000);
        let Verdict::Linearizable(order) = judgement.verdict else {
            panic!("{name}: {:?}", judgement.verdict)
        };
        assert_explains(recipe.capacity, &operations, &order, name);
        let most = 2 * operations.len() as u64;
        assert!(judgement.placements < most, "{name}: {} placements", judgement.placements);
    }
}

#[test]
fn defects_are_found_in_large_histories_and_told_briefly() {
    let few = Recipe { clients: 8, capacity: 5, longest_us: 1_000, ..LARGE };
    for defect in [Defect::LosesCheckins, Defect::LosesCheckouts, Defect::OneTooMany, Defect::StaleCounts] {
        let recipe = Recipe { defect: Some(defect), ..few };
        let operations = history(1, recipe);
        let judgement = judge(recipe.capacity, &operations, 2_000_000);
        let Verdict::NotLinearizable(found) = judgement.verdict else { panic!("{defect:?}: {judgement:?}") };
        assert!(found.operations.len() <= 30, "{defect:?}: {found}");
        assert!(found.story.contains("<- does not fit"), "{defect:?}: {found}");
    }
}

#[test]
fn a_judge_that_may_try_too_little_says_so() {
    let operations = history(1, SMALL);
    assert_eq!(judge(SMALL.capacity, &operations, 11).verdict, Verdict::OutOfBudget);
    assert!(matches!(judge(SMALL.capacity, &operations, 1_000).verdict, Verdict::Linearizable(_)));
}

#[test]
fn who_asked_before_the_grant_says_nothing_of_an_end_after_it() {
    let at = |kind, invoked_us, completed_us| Operation { client: 1, kind, invoked_us, completed_us };
    let holder = Holder(1);
    let operations = [
        at(Kind::Checkout { holder, seats: 1, answer: CheckoutAnswer::Granted }, 0, Some(20)),
        at(Kind::Checkin { holder, answer: CheckinAnswer::NotHeld }, 1, Some(3)),
        at(Kind::MayEnd { holder }, 1, None),
        at(Kind::Count { in_use: 1 }, 30, Some(31)),
    ];
    assert_eq!(compare(1, &operations, "one grant"), Some(true));
}
