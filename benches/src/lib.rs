//! Numbers with their conditions: what a triad of three real processes on this machine does under load, and how long
//! its clients wait while their master goes away and comes back.
//!
//! Programs: `load`, `failover`, `scale`, `idle`. Each starts its own triad, measures beside every result what the machine itself
//! can do ([`limits`]) and who used its processors meanwhile ([`cpu`]), and never hides a request that was slow: a
//! closed loop notes every answer, and an answer that has not come yet counts with the time it has been waited for.
//!
//! What this is not: a test. Nothing here judges whether the answers were right.

pub mod answers;
pub mod conditions;
pub mod cpu;
pub mod failover;
pub mod files;
pub mod fill;
pub mod gaps;
pub mod idle;
pub mod limits;
pub mod load;
pub mod memory;
pub mod output;
pub mod probe;
pub mod recovery;
pub mod scale;
pub mod snapshots;
pub mod targets;
pub mod triad;
