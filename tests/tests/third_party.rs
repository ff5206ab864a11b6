//! The harness is for others too: one example finds the bug that was planted in it, with nothing but stable Rust; the other puts
//! a daemon with a protocol of its own to the test with what is its own, and no more.

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

#[path = "../examples/own_protocol.rs"]
#[allow(dead_code, reason = "the example's own main is called, nothing else")]
mod own_protocol;

#[test]
fn a_daemon_with_a_protocol_of_its_own_is_judged_as_the_reference_server_is() {
    own_protocol::main();
}

/// What the harness asks of a daemon's author, besides the daemon and its client, which are there already.
#[test]
fn it_takes_forty_lines_to_put_a_daemon_to_the_test() {
    let source = include_str!("../examples/own_protocol.rs");
    let block = |begin: &str| {
        let from = source.find(begin).unwrap_or_else(|| panic!("`{begin}` is in the example"));
        let block = &source[from..];
        block[..block.find("\n}\n").expect("its end")].lines().count() + 1
    };
    let lines = block("impl NodeService for Acme") + block("pub(crate) fn main");
    assert!(lines <= 40, "{lines} lines");
}
