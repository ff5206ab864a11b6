//! Numbers with their conditions: what a triad of three real processes on this machine does under load, and how long
//! its clients wait while their master goes away and comes back.
//!
//! Programs: `load`, `failover`, `scale`, `idle`, `overload`, `growth` and `reread`. Each starts its own triad, measures beside every
//! result what the machine itself can do ([`measure::limits`]) and who used its processors meanwhile ([`measure::cpu`]), and never hides a
//! request that was slow: a closed loop notes every answer, and an answer that has not come yet counts with the time it
//! has been waited for. Other programs can be given the same work in the same run ([`rivals`]); the loops are the same code
//! for all ([`work::seats`]). Small pieces are measured by the benches in `benches/`.
//!
//! What this is not: a test. Nothing here judges whether the answers were right.

// The programs, and what they put to work.
pub mod programs;
pub mod work;

// What is measured, and how it is told.
pub mod measure;
pub mod show;

// Other programs at the same work.
pub mod rivals;
