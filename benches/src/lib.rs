//! Numbers with their conditions: what a triad of three real processes on this machine does under load, and how long
//! its clients wait while their master goes away and comes back.
//!
//! Programs: `load`, `failover`, `scale`, `idle`, `overload` and `growth`. Each starts its own triad, measures beside every
//! result what the machine itself can do ([`limits`]) and who used its processors meanwhile ([`cpu`]), and never hides a
//! request that was slow: a closed loop notes every answer, and an answer that has not come yet counts with the time it
//! has been waited for. Other programs can be given the same work in the same run ([`peer`]); the loops are the same code
//! for all ([`seats`]). Small pieces are measured by the benches in `benches/`.
//!
//! What this is not: a test. Nothing here judges whether the answers were right.

pub mod answers;
pub mod conditions;
pub mod cpu;
pub mod crowd;
pub mod failover;
pub mod files;
pub mod fill;
pub mod flood;
pub mod gaps;
pub mod growth;
pub mod idle;
pub mod limits;
pub mod load;
pub mod memory;
pub mod memory_watch;
pub mod output;
pub mod overload;
pub mod peer;
pub mod plot;
pub mod probe;
pub mod recovery;
pub mod reread;
pub mod scale;
pub mod seats;
pub mod snapshots;
pub mod standing;
pub mod targets;
pub mod trace;
pub mod triad;
