//! The consistency harness, and everything that needs several parts of the product at once.
//!
//! ```
//! use licensing_tests::simulation::{Options, Triad, run};
//! use std::time::Duration;
//!
//! // Five virtual seconds of crashes, partitions and pauses, and the same again for the same seed.
//! let report = run(Triad::default(), &Options { duration: Duration::from_secs(5), ..Options::of(7) });
//! assert!(report.violations.is_empty(), "{:#?}", report.violations);
//! ```
//!
//! | to | look at |
//! |---|---|
//! | put a service of your own to the test | [`simulation::Service`], `examples/count_seats.rs` |
//! | judge a history that you recorded elsewhere | [`judge_file`](judge_file()), [`oracle`], [`check`], `HISTORY.md` |
//! | cut the power of the real store | [`power_cut`] |
//! | feed it hostile bytes | [`hostile`] |
//! | kill, pause and separate real servers | [`process`], [`proxy`], [`workload`] |
//! | judge the tests | [`mutants`], [`patches`], [`coverage`] |
//!
//! `README.md` beside this crate has the whole picture and the track record.

#![forbid(unsafe_code)]

pub mod check;
pub mod cluster;
pub mod coverage;
pub mod history;
pub mod hostile;
#[cfg(licensing_mutants)]
pub mod hunt;
pub mod judge_file;
pub mod mutants;
pub mod oracle;
pub mod patches;
pub mod power_cut;
pub mod process;
pub mod proxy;
pub mod simulation;
mod splitmix;
pub mod workload;
mod written;

pub use judge_file::{Judgement, judge_file};
pub use written::compiled;

/// Compiles the programs of the guide for those who embed.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
pub struct Embedding;

/// Version of this program, and the commit it was built from where a checkout can tell.
pub fn version() -> String {
    let asked = ["rev-parse", "--short", "HEAD"];
    let git = std::process::Command::new("git").args(asked).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let commit = git.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    format!("{} (commit {commit})", env!("CARGO_PKG_VERSION"))
}
