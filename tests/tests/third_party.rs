//! The harness is for others too: the example finds the bug that was planted in it, with nothing but stable Rust.

use std::process::Command;

#[path = "../examples/count_seats.rs"]
#[allow(dead_code, reason = "the example's own main is called, nothing else")]
mod count_seats;

#[test]
fn the_example_finds_its_planted_bug_and_tells_how_to_see_it_again() {
    // In a process of its own, to see what a user sees.
    if std::env::var_os("LICENSING_EXAMPLE").is_some() {
        return count_seats::main();
    }
    let own = std::env::current_exe().unwrap();
    let told = Command::new(own).args(["--nocapture"]).env("LICENSING_EXAMPLE", "1").output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr);
    let seed = told.split("seed ").nth(1).and_then(|rest| rest.split(',').next()).expect("a seed is told");
    assert!(told.contains("not true that what clients were told can have happened"), "{told}");
    assert!(told.contains(&format!("replay: run(Counter, &Options::of({seed}))")), "{told}");
}
