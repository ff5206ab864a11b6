//! Clients that check out and in without a pause, and somebody who keeps looking at all three servers. Everything they
//! are told goes into a history, which is judged when they are done.
//!
//! The choices of the clients come from a seed; what the operating system does with three processes and their
//! sockets does not. So a seed repeats the work, not the run: a failed run leaves its history, which can be judged
//! again.

mod board;
mod choices;
mod plan;
mod run;
mod told;
mod watcher;
mod worker;

pub use choices::Choices;
pub use plan::Plan;
pub use run::{Report, Workload};
pub(crate) use told::told;
pub use watcher::read;
