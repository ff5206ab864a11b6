//! Makes the seats of [`licensing_core`] survive the death of a server: a fixed triad, every decision on the disks of a
//! quorum before it is answered, mastership pinned to the primary and then the secondary.
//!
//! ```
//! use licensing_core::{command::Command, id::Role, license::License};
//! use licensing_raft::{Node, NodeConfig, ProposeError};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "SERVER alpha ANY 27000 PRIMARY_IS_MASTER\nSERVER beta ANY 27000\nSERVER gamma ANY 27000\n\
//!             VENDOR demo\nFEATURE f1 demo 1.0 permanent 10 SIGN=0\n";
//! # let directory = tempfile::tempdir()?;
//! let config = NodeConfig::from_license(&License::parse(text)?, Role::Primary, directory.path())?;
//! let node = Node::start(config).await?;
//! // Hand it what connects to port 27000 with PEER_PREAMBLE: node.accept_peer(stream, from). With a peer in reach it
//! // becomes master (node.mastership().wait_for(|now| now.serving)) and decides; alone it refuses to.
//! let refused = node.propose(Command::Install { license: text.to_owned() }).await;
//! assert_eq!(refused, Err(ProposeError::NotMaster { master: None }));
//! node.stop(true).await;
//! # Ok(())
//! # }
//! ```
//! `examples/embed.rs` is a whole program: three nodes, their listeners, a checkout, and the death of the master.
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
//! In [`NodeConfig::data_dir`]: the log in a journal, the vote in a sled database, the newest snapshot in a file, a few
//! hundred bytes about whose directory it is. Losing it is no drama: a server with an empty directory catches up before it votes again.
//!
//! # What it does not do
//!
//! No client protocol, no license signatures, no change of the three members. It does not retry for you across servers:
//! that is the client's part (`licensing-client`).

#![forbid(unsafe_code)]

mod bootstrap;
mod campaign;
pub mod config;
mod counts;
mod desk;
pub mod environment;
pub mod error;
mod expiry;
mod grace;
pub mod health;
mod heartbeat;
mod looks;
mod machine;
pub mod mastership;
pub mod node;
mod peer;
mod pin;
mod propose;
mod runtime;
mod settings;
mod snapshots;
mod standing;
mod store;
mod survey;
#[cfg_attr(not(feature = "testing"), expect(unreachable_pub, reason = "simulations use it too"))]
mod tasks;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "testing")]
pub mod testing_store;
mod types;
pub mod watch;

pub use config::{NodeConfig, PeerKey, ServerAddress, Timings};
pub use counts::NodeCounts;
pub use environment::Environment;
pub use error::{ConfigError, ProposeError, StartError};
pub use health::ServerHealth;
pub use mastership::Mastership;
pub use node::Node;

/// First bytes of a peer's connection: a listener that serves others as well tells peers by them.
pub const PEER_PREAMBLE: [u8; 4] = *b"\0LSP";
