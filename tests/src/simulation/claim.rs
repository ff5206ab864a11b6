//! What is claimed of every run, besides the claims of [`oracle::claim`](crate::oracle::claim).

/// Unless its disk has failed.
pub const NO_SERVER_STOPS: &str = "no server stops by itself";
/// Not even a handler that never yields may stop it.
pub const ADVANCES: &str = "a run advances: no task keeps the thread for itself";
/// Nobody waits for ever.
pub const ENDS: &str = "everything ends soon after the faults";
/// No client and no task of a server, whoever catches it.
pub const NO_PANIC: &str = "nobody panics";
/// After the faults.
pub const HEALS: &str = "after the faults the right server serves and all are level";
/// After the clients stopped, too.
pub const LEVELS_OUT: &str = "when the clients have stopped all servers are level";
/// Who is first of two threads is nobody's decision.
pub const ONE_THREAD: &str = "a run stays on one thread, so that it repeats itself";
/// For services without a log index in their answers.
pub const BLIND: &str = "what clients were told can have happened, in some order";
