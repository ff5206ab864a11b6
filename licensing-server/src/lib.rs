//! The reference license server: the daemon `licensing-server` with its flags, its log and its demonstration.
//!
//! All of it is thin. Seats are decided in [`licensing_core`], survive in [`licensing_raft`], are handed out by
//! [`licensing_daemon`], held by applications through [`licensing_client`], and looked after with [`licensing_admin`];
//! here are a command line, a log, and three processes that show what it is all about.
//!
//! | if you want to | look at |
//! |---|---|
//! | run this server inside a program | [`run::run`] with what [`config::load`] gives |
//! | embed a server of your own | [`licensing_daemon::Daemon`] |
//! | start three local servers for a test or a benchmark | [`local_triad::LocalTriad`] |
//! | see a failover | `licensing-server demo`, [`demo`] |

#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod demo;
pub mod local_triad;
pub mod run;

mod log;
mod sinks;

/// Version of this program, as status commands show it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
