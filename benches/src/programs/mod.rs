//! What each program measures: the run, and its report.

pub mod failover;
pub mod growth;
pub mod idle;
pub mod load;
pub mod overload;
pub mod reread;
pub mod scale;
