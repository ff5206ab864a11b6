//! The command line of the daemon, one verb a file. Flags, files and signals in, exit codes out.

pub mod daemon;

mod check;
mod demo;
mod peer_key;
mod serve;
