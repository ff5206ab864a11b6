//! The reference license server: the daemon `licensing-server`, the administrator's command `licensectl`, and the
//! personality `lmutil`, which prints what administrators of FlexNet servers have been reading for twenty years.
//!
//! All of it is thin. Seats are decided in [`licensing_core`], survive in [`licensing_raft`], are held by
//! applications through [`licensing_client`]; here are a port, a command line, and the words in between.
//!
//! | if you want to | look at |
//! |---|---|
//! | run a server inside your own program | [`run::run`] with a [`config::ServerConfig`] |
//! | start three local servers for a test or a benchmark | [`local_triad::LocalTriad`] |
//! | see a failover | `licensing-server demo`, [`demo`] |
//! | know how a status answer becomes text | [`survey`], [`render`] |

pub mod cli;
pub mod config;
pub mod demo;
pub mod exit;
pub mod key_file;
pub mod license_file;
pub mod local_triad;
pub mod render;
pub mod run;
pub mod survey;

mod admin;
mod client_port;
mod debug_log;
mod mastership;
mod port;
mod server;
mod status_page;
mod status_text;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

/// Version of this program, as status commands show it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
