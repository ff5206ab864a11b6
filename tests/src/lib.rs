//! The consistency harness, and everything that needs several parts of the product at once.
//!
//! [`cluster`] runs three nodes in this process, on sled, over a network that can be cut. [`process`] runs three real
//! server processes, between which [`proxy`] lays a network that misbehaves; [`workload`] makes clients use them and
//! writes a [`history`], which the [`oracle`] judges.

#![forbid(unsafe_code)]

pub mod check;
pub mod cluster;
pub mod history;
pub mod hostile;
pub mod judge_file;
pub mod mutants;
pub mod oracle;
pub mod power_cut;
pub mod process;
pub mod proxy;
pub mod simulation;
pub mod workload;

pub use judge_file::{Judgement, judge_file};

/// Version of this program, and the commit it was built from where that is known.
pub fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"))
}
