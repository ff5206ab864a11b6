//! What is put to work: servers, clients and the loops they run.

pub mod answers;
pub mod crowd;
pub mod files;
pub mod fill;
pub mod flood;
pub mod seats;
pub mod triad;
