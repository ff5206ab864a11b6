//! About a million hostile inputs over everything that is read from clients, peers, disks and files: valid ones that
//! were damaged, and noise. What must hold of each is in `hostile::targets`; `make fuzz` looks further with the same
//! functions.

use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use licensing_tests::hostile::{mutate, targets};
use licensing_tests::workload::Choices;

/// Repeats the inputs of a run.
const SEED: &str = "LICENSING_SEED";

/// How many inputs instead of those below.
const INPUTS: &str = "LICENSING_INPUTS";

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The corpus of the fuzzer first, then so many inputs of our own.
fn survives(name: &str, inputs: u64) {
    licensing_tests::mutants::plant_as_told();
    let target = targets::named(name);
    let seed = variable(SEED).unwrap_or_else(|| RandomState::new().hash_one(name));
    let inputs = variable(INPUTS).unwrap_or(inputs);
    eprintln!(
        "the same again: {SEED}={seed} {INPUTS}={inputs} cargo test -p licensing-tests --test hostile_inputs {name}"
    );
    let check = |bytes: &[u8], which: &str| {
        catch_unwind(AssertUnwindSafe(|| (target.check)(bytes))).unwrap_or_else(|panic| {
            eprintln!("{which} of seed {seed}, {} bytes: {bytes:02x?}", bytes.len());
            resume_unwind(panic)
        })
    };
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files = 0;
    for file in std::fs::read_dir(&corpus).expect("a corpus") {
        let path = file.expect("a file").path();
        check(&std::fs::read(&path).expect("a file that can be read"), &path.display().to_string());
        files += 1;
    }
    assert!(files > 0, "no file in {}", corpus.display());
    let samples = (target.samples)();
    let valid = samples.iter().filter(|sample| check(sample, "a sample")).count();
    assert!(valid * 4 >= samples.len() * 3, "only {valid} of {} samples are taken for valid", samples.len());
    let mut choices = Choices::new(seed, 0);
    let mut taken = 0;
    for number in 0..inputs {
        let bytes = mutate::input(&mut choices, &samples);
        taken += u64::from(check(&bytes, &format!("input {number}")));
    }
    eprintln!("{name}: {inputs} inputs and {files} files, {taken} inputs taken for valid");
    // Both sides of every reader are reached, or the run proves nothing.
    assert!((inputs / 1000..inputs).contains(&taken), "{taken} of {inputs} inputs were taken for valid");
}

#[test]
fn client_frame() {
    survives("client_frame", 200_000);
}

#[test]
fn server_frame() {
    survives("server_frame", 200_000);
}

#[test]
fn peer_hello() {
    survives("peer_hello", 120_000);
}

#[test]
fn peer_frame() {
    survives("peer_frame", 150_000);
}

#[test]
fn store_record() {
    survives("store_record", 120_000);
}

#[test]
fn snapshot() {
    survives("snapshot", 90_000);
}

#[test]
fn license_file() {
    survives("license_file", 120_000);
}

/// The valid inputs of a target, each with the file that keeps it as a seed of the fuzzer.
fn corpus(target: &targets::Target) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
    let files = (target.samples)().into_iter().enumerate();
    files.map(|(number, sample)| (directory.join(format!("sample-{number:02}")), sample)).collect()
}

#[test]
fn the_corpus_is_what_would_be_written_today() {
    for target in &targets::ALL {
        for (path, sample) in corpus(target) {
            let kept = std::fs::read(&path).unwrap_or_default();
            assert!(
                kept == sample,
                "{} is not what is written today; write it anew: \
                 cargo test -p licensing-tests --test hostile_inputs write_the_corpus -- --ignored",
                path.display()
            );
        }
    }
}

/// Writes the valid inputs as seeds of the fuzzer's corpus, after the wire or the store has changed.
#[test]
#[ignore = "writes into the source tree"]
fn write_the_corpus() {
    for target in &targets::ALL {
        for (path, sample) in corpus(target) {
            std::fs::create_dir_all(path.parent().expect("a file in a directory"))
                .expect("the directory can be made");
            std::fs::write(path, sample).expect("it can be written");
        }
    }
}
