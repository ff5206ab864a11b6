//! Numbers with their conditions: what a triad of three real processes on this machine does under load, and how long
//! its clients wait while their master goes away and comes back.
//!
//! Programs: `load`, `failover`, `overload` and `growth`. Each starts its own triad, measures beside every result what the machine itself
//! can do ([`limits`]) and who used its processors meanwhile ([`cpu`]), and never hides a request that was slow: a
//! closed loop notes every answer, and an answer that has not come yet counts with the time it has been waited for. Small
//! pieces are measured by the benches in `benches/`.
//!
//! What this is not: a test. Nothing here judges whether the answers were right.

pub mod conditions;
pub mod cpu;
pub mod failover;
pub mod flood;
pub mod gaps;
pub mod growth;
pub mod limits;
pub mod load;
pub mod memory;
pub mod output;
pub mod overload;
pub mod probe;
pub mod standing;
pub mod triad;
