//! What an administrator does, without a word about it: each verb of the command lines says in its own way what came
//! of it.

mod master;
mod servers;
mod stop;

pub use master::wait_for_master;
pub use servers::{ActError, Servers, without_checkouts};
pub use stop::{StopProblem, standbys_first, stop};
