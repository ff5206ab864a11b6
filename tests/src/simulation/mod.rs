//! A triad in virtual time: real nodes on disks in memory, over a network in memory, under a clock that jumps from one
//! event to the next. One seed decides everything, and the same seed gives the same run, step by step.
//!
//! A run has two phases. First the triad works under faults: crashes that lose what was not synced, partitions, lost
//! disks, clients that resend. Then the faults end, and it must converge: one master, the one the rules name, and
//! exactly the seats that were acknowledged.

mod clients;
mod faults;
mod judge;
mod network;
mod random;
mod world;

pub use faults::FaultCounts;
pub use judge::Violation;
pub use world::{Options, Report, run};
