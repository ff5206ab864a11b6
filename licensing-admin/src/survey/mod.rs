//! One look at a triad from the outside: every server is asked for its status, and the answers are merged into the
//! picture an administrator wants.
//!
//! The property kept: what the master says goes before what others say, what a server says about itself before what
//! others say about it, and what was seen just now before what others remember: a server that refused the connection
//! is down, though the others may believe in it for another lease. Asking is in [`ask`], merging in [`merge`] and pure.

pub mod ask;
pub mod merge;
mod problem;
pub mod seen;

pub use merge::Survey;
pub use problem::ProbeProblem;
pub use seen::{Probe, SeenServer};
