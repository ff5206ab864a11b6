//! What people build has no planted bugs in it, not even switched off: no name of a mutant is in the programs.
//!
//! The programs here are those of `cargo test --workspace`, in one build with the harness and every feature it asks for:
//! if a switch could get into the product by way of another crate, it would be there. `LICENSING_PRODUCT=all` makes
//! those of the README too, `cargo build --release` at the root and `cargo install` of the two packages that have programs, and
//! looks at them.

#![cfg(not(licensing_mutants))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use licensing_core::mutant::{Mutant, VARIABLE};
use licensing_tests::mutants;
use licensing_tests::process::programs;

/// What a program with planted bugs has in it: it reads their names from the environment.
fn marks() -> impl Iterator<Item = &'static str> {
    Mutant::ALL.iter().map(|mutant| mutant.name()).chain([VARIABLE, "mutant6choice"])
}

/// Which marks a program has.
fn found(program: &Path) -> Vec<&'static str> {
    let bytes = fs::read(program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let has = |mark: &str| bytes.windows(mark.len()).any(|window| window == mark.as_bytes());
    marks().filter(|mark| has(mark)).collect()
}

fn assert_clean(programs: impl IntoIterator<Item = PathBuf>) {
    for program in programs {
        let found = found(&program);
        assert!(found.is_empty(), "{} has planted bugs in it: {found:?}", program.display());
    }
}

fn run(cargo: &mut Command) {
    let ended = cargo.status().expect("cargo can be started");
    assert!(ended.success(), "{cargo:?} ended with {ended}");
}

#[test]
fn no_program_of_the_product_has_planted_bugs_and_those_of_the_build_with_them_have() {
    let programs = programs();
    assert_clean([programs.server.clone(), programs.ctl.clone(), programs.lmutil.clone()]);

    let mut cargo = mutants::cargo("build");
    cargo.env("CARGO_TARGET_DIR", &programs.target);
    run(cargo.args(["--quiet", "--workspace", "--bin", "licensing-server"]));
    let name = programs.server.strip_prefix(&programs.target).expect("programs lie in the target directory");
    let planted = found(&programs.target.join("mutants").join(name));
    assert_eq!(planted, marks().collect::<Vec<_>>(), "is this test blind?");
}

/// Two builds of the whole product with optimization: too long for every change.
#[test]
fn no_program_that_the_readme_tells_to_build_has_planted_bugs() {
    if std::env::var("LICENSING_PRODUCT").is_ok_and(|which| which == "all") {
        let target = &programs().target;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let names = ["licensing-server", "licensectl", "lmutil"];
        let cargo = || {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.current_dir(&root).env("CARGO_TARGET_DIR", target);
            cargo
        };
        run(cargo().args(["build", "--release"]));
        assert_clean(names.map(|name| target.join("release").join(name)));

        let installed = tempfile::tempdir().expect("a temporary directory");
        for package in ["licensing-server", "licensing-admin"] {
            run(cargo().args(["install", "--locked", "--path", package, "--root"]).arg(installed.path()));
        }
        assert_clean(names.map(|name| installed.path().join("bin").join(name)));
    }
}
