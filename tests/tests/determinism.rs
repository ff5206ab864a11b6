//! The same seed gives the same run: in a new process, in a sweep, and next to other threads.

use std::process::Command;
use std::thread;

use licensing_tests::simulation::{Kind, Options, run_triad};

/// Seeds compared; shorter runs than usual, because they are run three times.
const SEEDS: std::ops::Range<u64> = 1000..1050;
const SECONDS: u64 = 4;

fn trace(seed: u64) -> String {
    let options = Options { duration: std::time::Duration::from_secs(SECONDS), ..Options::of(seed) };
    run_triad(Kind::of(seed), &options).trace
}

#[test]
fn fifty_seeds_give_the_same_trace_in_new_processes_and_inside_a_sweep() {
    if let Ok(seeds) = std::env::var("LICENSING_TRACES") {
        for seed in seeds.split(',') {
            eprintln!("trace {seed} {}", trace(seed.parse().unwrap()));
        }
        return;
    }
    let forwards: Vec<String> = SEEDS.map(|seed| seed.to_string()).collect();
    // What was run before in the process must not matter.
    let backwards: Vec<String> = forwards.iter().rev().cloned().collect();
    let orders = [("forwards", forwards.join(",")), ("backwards", backwards.join(","))];
    let sweep = || SEEDS.map(|seed| (seed, trace(seed))).collect::<Vec<_>>();
    let (sweep, told) = thread::scope(|scope| {
        let told = orders.each_ref().map(|(_, seeds)| scope.spawn(|| elsewhere(seeds)));
        (sweep(), told.map(|told| told.join().expect("it has not panicked")))
    });
    for ((order, _), told) in orders.iter().zip(told) {
        for (seed, here) in &sweep {
            let there = told.lines().find_map(|line| line.strip_prefix(&format!("trace {seed} ")));
            assert_eq!(there, Some(here.as_str()), "seed {seed}, in a new process, {order}");
        }
    }
    // A process each for a few of them.
    for (seed, here) in sweep.iter().step_by(20) {
        assert!(elsewhere(&seed.to_string()).contains(&format!("trace {seed} {here}")), "seed {seed} alone");
    }
}

/// Runs these seeds in a new process and gives what it told.
fn elsewhere(seeds: &str) -> String {
    let own = std::env::current_exe().unwrap();
    let told = Command::new(own).args(["--nocapture"]).env("LICENSING_TRACES", seeds).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8_lossy(&told.stderr).into_owned()
}
