//! The consistency harness, and everything that needs several parts of the product at once.
//!
//! [`cluster`] runs three nodes in this process, on sled, over a network that can be cut. [`process`] runs three real
//! server processes; [`workload`] makes clients use them and writes a [`history`], which the [`oracle`] judges.

#![forbid(unsafe_code)]

pub mod cluster;
pub mod history;
pub mod oracle;
pub mod process;
pub mod simulation;
pub mod workload;
