//! Runs simulated triads: `cargo run --release -p licensing-tests --bin sim -- --seeds 100`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use licensing_tests::simulation::{FaultCounts, Options, run};

/// Runs triads in virtual time under faults, and judges every step.
#[derive(Parser)]
struct Arguments {
    /// Runs this seed only, and prints its trace.
    #[arg(long)]
    seed: Option<u64>,
    /// Runs this many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Begins with this seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seeds = match arguments.seed {
        Some(seed) => seed..seed + 1,
        None => arguments.from..arguments.from + arguments.seeds,
    };
    let (begun, mut simulated, mut answers, mut counts, mut bad) =
        (Instant::now(), Duration::ZERO, 0, FaultCounts::default(), 0u64);
    for seed in seeds.clone() {
        let report = run(&Options::of(seed));
        simulated += report.simulated;
        answers += report.answers;
        counts.add(&report.counts);
        for violation in &report.violations {
            eprintln!("seed {seed}: it is not true that {}: {}", violation.claim, violation.found);
        }
        if !report.violations.is_empty() {
            bad += 1;
            eprintln!("replay: cargo run --release -p licensing-tests --bin sim -- --seed {seed}");
        }
        if arguments.seed.is_some() {
            eprintln!("trace {}", report.trace);
        }
    }
    eprintln!(
        "{} seeds, {bad} bad: {:.1} simulated minutes in {:.1} s, {answers} answers, {counts:?}",
        seeds.end - seeds.start,
        simulated.as_secs_f64() / 60.0,
        begun.elapsed().as_secs_f64()
    );
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
