//! Numbers with their conditions: what a triad of three real processes on this machine does under load, and how long
//! its clients wait while their master goes away and comes back.
//!
//! Two programs: `load` and `failover`. Each starts its own triad, measures beside every result what the machine itself
//! can do ([`limits`]) and who used its processors meanwhile ([`cpu`]), and never hides a request that was slow: a
//! closed loop notes every answer, and an answer that has not come yet counts with the time it has been waited for.
//! Other programs can be given the same work in the same run ([`peer`]); the loops are the same code for all
//! ([`seats`]).
//!
//! What this is not: a test. Nothing here judges whether the answers were right.

pub mod conditions;
pub mod cpu;
pub mod crowd;
pub mod failover;
pub mod gaps;
pub mod limits;
pub mod load;
pub mod output;
pub mod peer;
pub mod plot;
pub mod probe;
pub mod seats;
pub mod trace;
pub mod triad;
