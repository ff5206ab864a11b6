//! A vendor daemon as a library: a server of a triad with its one port, the client protocol's server side, license
//! installation, and the rights of administrators. It is what a program embeds that wants to hand out seats itself.
//!
//! ```no_run
//! use licensing_daemon::{Daemon, LicenseFile, Role, listen, stop_signal};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let license = LicenseFile::read("acme.lic".as_ref())?;
//! let daemon = Daemon::builder(license).role(Role::Primary).data("/var/lib/acme");
//! let daemon = daemon.start(listen("127.0.0.1:27000".parse()?)?).await?;
//! // Until a signal comes, an administrator stops it, or its node fails.
//! daemon.run(|address| println!("serving on {address}"), stop_signal()?).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The types that matter
//!
//! * [`DaemonBuilder`]: license, role, data directory, keys; protocols of your own, your own word on rights.
//! * [`Daemon`]: watch, run. One per server.
//! * [`DaemonConfig`]: the node's configuration, the license file, the administrators' key, limits; most of it comes
//!   from the license file.
//! * [`RunError`]: why a server did not start, or stopped by itself.
//!
//! # How a checkout flows
//!
//! `port` tells a client by its first bytes, `client_port` reads its request and asks for a decision with
//! [`Node::propose`](licensing_raft::Node::propose), and the answer goes back on the connection it came from. Seats are
//! decided in [`licensing_core`] and survive in [`licensing_raft`]; clients are those of [`licensing_client`].
//!
//! # What it does not do
//!
//! No command line, no settings file, no HTTP, no log of its own beyond [`tracing`]: those are the program's. It retries
//! nothing and knows no rule of seats.

#![forbid(unsafe_code)]

pub mod builder;
pub mod config;
pub mod daemon;
#[cfg(feature = "testing")]
pub mod testing;

mod client_port;
mod license;
mod port;
mod rights;
mod server;
mod status;

pub use builder::DaemonBuilder;
pub use config::{DaemonConfig, Limits};
pub use daemon::{Daemon, RunError, listen, stop_signal};
pub use port::door::{Caller, IDLE_LIMIT};
pub use rights::judge::Asked;

/// What to log of a daemon, as a filter of `tracing_subscriber::EnvFilter`: [`licensing_raft::LOG_FILTER`] without what the
/// node says of the mastership, which the daemon says in words of its own.
pub const LOG_FILTER: &str = "info,openraft=error,sled=warn,licensing_raft::mastership::judge=warn";

pub use licensing_client::license_file::{LicenseFile, LicenseFileError};

// What a builder is given, and what a door finds behind it.
pub use licensing_client::AdminKey;
pub use licensing_raft::{
    Answer, ClientAction, Denial, Event, Handle, Identity, LogIndex, Mastership, Node, NodeConfig, Outcome,
    PeerKey, ProposeError, RequestId, Role, Seats, ServerAddress, Session, SessionError, SessionId,
    StartError, Token, Wanted,
};
