//! Makes the seats of [`licensing_core`] survive the death of a server: a fixed triad, every decision on the disks of a
//! quorum before it is answered, mastership pinned to the primary and then the secondary.
//!
//! ```no_run
//! use licensing_core::{command::Command, id::Role, license::License};
//! use licensing_raft::{Node, NodeConfig, PEER_PREAMBLE};
//! use tokio::io::AsyncReadExt;
//!
//! # async fn run(text: String) -> Result<(), Box<dyn std::error::Error>> {
//! let config = NodeConfig::from_license(&License::parse(&text)?, Role::Primary, "/var/lib/vendor")?;
//! let listener = tokio::net::TcpListener::bind(("0.0.0.0", config.servers[0].port)).await?;
//! let node = Node::start(config).await?;
//! node.mastership().wait_for(|now| now.serving).await?;       // needs one of the other two servers
//! println!("{:?}", node.propose(Command::Install { license: text }).await?);
//! while let Ok((mut stream, from)) = listener.accept().await {
//!     let mut preamble = [0; 4];
//!     if stream.read_exact(&mut preamble).await.is_ok() && preamble == PEER_PREAMBLE {
//!         node.accept_peer(stream, from.to_string());          // other preambles are your clients
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//! (Accept peers from the start, in a task of its own: `examples/embed.rs` is the whole program, three nodes in one
//! process.)
//!
//! # The types that matter
//!
//! * [`Node`]: start, propose, read, watch, stop. One per server.
//! * [`NodeConfig`]: role, addresses, data directory, timings; most of it comes from the license file.
//! * [`Mastership`]: who may serve. Redirect your clients by it.
//! * [`ProposeError`]: an answer that could not be had, and whether it may have happened all the same.
//!
//! # How a checkout flows
//!
//! [`Node::propose`] stamps it with the triad's time, openraft appends it here and at the peers, each disk syncs, the
//! committed entry goes through [`licensing_core::apply`] on every server, and the answer comes back with its log index.
//!
//! # Where is my data?
//!
//! In [`NodeConfig::data_dir`]: the log in a sled database, the newest snapshot in a file, a few hundred bytes about
//! whose directory it is. Losing it is no drama: a server with an empty directory catches up before it votes again.
//!
//! # What it does not do
//!
//! No client protocol, no license signatures, no change of the three members. It does not retry for you across servers:
//! that is the client's part (`licensing-client`).

#![forbid(unsafe_code)]

mod bootstrap;
mod campaign;
pub mod config;
mod desk;
pub mod environment;
pub mod error;
mod expiry;
mod machine;
pub mod mastership;
pub mod node;
mod peer;
mod pin;
mod runtime;
mod standing;
mod store;
mod survey;
#[cfg(feature = "testing")]
pub mod testing;
mod types;
pub mod watch;

pub use config::{NodeConfig, PeerKey, ServerAddress, Timings};
pub use environment::Environment;
pub use error::{ConfigError, ProposeError, StartError};
pub use mastership::Mastership;
pub use node::{Node, NodeCounts, ServerHealth};

/// First bytes of a peer's connection: a listener that serves others as well tells peers by them.
pub const PEER_PREAMBLE: [u8; 4] = *b"\0LSP";
