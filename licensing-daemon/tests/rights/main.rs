//! Who may not: every request of the protocol, asked by everybody who might ask it. What is answered, what it leaves in the
//! replicated state, and what it leaves outside it: signs of life, permits, places, numbers, the log.
//!
//! The table is [`rows`]; who asks is in [`askers`]. A request that is new does not compile, or is missed, until it has a row.

mod askers;
mod challenges;
mod names;
mod places;
mod rows;
mod signs;
mod site;
#[path = "../support/mod.rs"]
mod support;
mod table;
