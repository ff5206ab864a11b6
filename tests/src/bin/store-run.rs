//! Runs the real store for the tests of power cuts: `work` carries out the plan of a seed under the recorder, `inspect`
//! opens the data directories it is told on standard input and answers with a line of JSON for each.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use licensing_tests::power_cut::{inspect, outline::Outline, plan::Plan, work};

/// Far above anything that works: a store that hangs must not hang the tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the real store for the tests of power cuts.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Carries out a plan; ends with 3 when the store reports an error.
    Work {
        /// Its name: `2:90` is of seed 2 and about 90 steps, `2:tour` does everything once.
        #[arg(long)]
        plan: Outline,
        /// In this data directory.
        #[arg(long)]
        directory: PathBuf,
    },
    /// Opens data directories.
    Inspect,
}

fn main() -> ExitCode {
    licensing_tests::mutants::plant_as_told();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    match Arguments::parse().what {
        What::Work { plan, directory } => {
            let plan = Plan::of(plan);
            let work = async { tokio::time::timeout(PATIENCE, work::carry_out(&plan, &directory)).await };
            let code = match runtime.block_on(work) {
                Ok(Ok(())) => 0,
                Ok(Err(error)) => {
                    eprintln!("{error}");
                    3
                }
                Err(_) => {
                    eprintln!("the store hangs");
                    4
                }
            };
            // A thread of sled may wait for something that will not come any more.
            std::process::exit(code);
        }
        What::Inspect => {
            for line in std::io::stdin().lock().lines() {
                let directory = line.expect("a line of text");
                let found = runtime.spawn(async move { inspect::inspect(Path::new(&directory)).await });
                let found = runtime.block_on(async { tokio::time::timeout(PATIENCE, found).await });
                let Ok(Ok(found)) = found else { std::process::exit(5) };
                let answer = serde_json::to_string(&found).expect("plain data");
                writeln!(std::io::stdout(), "{answer}").expect("the tests read on");
            }
            ExitCode::SUCCESS
        }
    }
}
