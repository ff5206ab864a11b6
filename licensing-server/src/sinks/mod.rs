//! Where it is told what happens. Each sink follows the events of the replicated state, so that every server of the
//! triad tells the same history.

pub(crate) mod debug_log;
