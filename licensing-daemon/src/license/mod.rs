//! The license of the triad and this server's file of it: the first install, reading it again, and following what the
//! others install. The property kept: what is served is what the triad has agreed on, never what a file says.

mod difference;
mod fingerprint;
mod follow;
mod install;
mod reread;

pub(crate) use fingerprint::fingerprint;
pub(crate) use follow::follow_installs;
pub(crate) use install::install;
pub(crate) use reread::reread;
