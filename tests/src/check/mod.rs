//! Judges of histories that know nothing of the service that made them: only who asked what, when, and what was answered.
//!
//! A history is *linearizable* when its operations can be put into one order that a single pool of seats would give the
//! same answers in, and that contradicts no clock: what was answered before something else was asked stands before it.
//!
//! | judge | needs | cost |
//! |---|---|---|
//! | [`witness`] | an index in every answer | that of sorting |
//! | [`semaphore`] | nothing; understands seats | about one step an operation; more when the history is wrong and vague |
//! | [`search`] | nothing; understands any [`search::Model`] | exponential in what overlaps: for small histories |
//!
//! [`seats`] has the operations they are given, [`from_history`] makes them of a recorded [`crate::history::History`].

pub mod from_history;
pub mod search;
pub mod seats;
pub mod semaphore;
pub mod witness;

mod minimize;
mod order;
mod prepare;

pub use from_history::judge_blind;

#[cfg(test)]
mod random_history;
#[cfg(test)]
mod tests;
