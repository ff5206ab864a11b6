//! Bugs that are planted as patches (`tests/mutants/*.patch`): every one has a whole header and fits the code as it is.
//! One that is cheap is planted on every change, so that the planting is known to work; `LICENSING_PATCHES=all` plants them
//! one after the other, each of which must be noticed by whom it names, `LICENSING_PATCHES=NAME` that one.

use std::path::Path;

use licensing_tests::patches::{self, Copy, Patch};

/// Which patches to run.
const PATCHES: &str = "LICENSING_PATCHES";

/// Two small crates and one test are compiled for it.
const CHEAP: &str = "acknowledged-decided-again";

fn all() -> Vec<Patch> {
    patches::all().unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")))
}

#[test]
fn every_patch_fits_the_code_as_it_is() {
    let patches = all();
    assert!(!patches.is_empty(), "there are no patches: is this test blind?");
    let wrong: Vec<String> = patches.iter().filter_map(|patch| patch.applies().err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bug_that_is_planted_by_a_patch_is_noticed_by_whom_it_names() {
    let which = std::env::var(PATCHES).unwrap_or_else(|_| CHEAP.to_owned());
    let patches: Vec<Patch> =
        all().into_iter().filter(|patch| which == "all" || which == patch.name()).collect();
    assert!(!patches.is_empty(), "{PATCHES}: no patch is called `{which}`");
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let copy =
        Copy::new(tmp.parent().expect("target/tmp has a parent")).expect("the workspace can be copied");
    let mut missed = Vec::new();
    for patch in patches {
        match copy.judge(&patch) {
            Ok(noticed) => eprintln!("{}: {noticed}", patch.name()),
            Err(why) => missed.push(format!("{}: {why}", patch.name())),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
