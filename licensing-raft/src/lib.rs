//! Makes the seats of [`licensing_core`] survive the death of a server: a fixed triad, every decision on the disks of a
//! quorum before it is answered, mastership pinned to the primary and then the secondary.
//!
//! ```
//! use licensing_core::{id::Role, license::Compiled};
//! use licensing_raft::{Node, NodeConfig, ProposeError};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "SERVER alpha ANY 27000 PRIMARY_IS_MASTER\nSERVER beta ANY 27000\nSERVER gamma ANY 27000\n\
//!             VENDOR demo\nFEATURE f1 demo 1.0 permanent 10 SIGN=0\n";
//! # let directory = tempfile::tempdir()?;
//! let license = Compiled::from_text("demo.lic", text)?;
//! let config = NodeConfig::from_license(license.license(), Role::Primary, directory.path())?;
//! let node = Node::start(config).await?;
//! // Let its peers in: node.serve_peers(listener), or node.accept_peer(stream, from) where others come to the same port.
//! // With a peer in reach it becomes master (node.mastership().wait_for(|now| now.serving)) and decides; alone it refuses to.
//! let refused = node.install(license).await;
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
//! * [`Session`]: seats for whoever speaks a protocol of your own.
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

// The public face.
pub mod config;
pub mod environment;
pub mod error;
pub mod node;
mod pieces;
pub mod session;
pub mod time;
pub mod versions;

// Putting a node together, and its end.
mod start;
mod stop;

// The path of a proposal, and what is applied.
mod install;
mod machine;
mod propose;
mod snapshots;

// The rooms.
pub mod mastership;
mod membership;
mod sessions;
mod status;

// What all of them share.
mod ending;
mod shared;

// The other servers, the disk, the engine.
mod engine;
mod peer;
mod store;

#[cfg(feature = "testing")]
pub mod testing;

pub use engine::watch;
pub use status::health;

pub use config::{NodeConfig, PeerKey, Timings};
pub use environment::Environment;
pub use error::{ConfigError, ProposeError, StartError};
pub use mastership::Mastership;
pub use mastership::resign::HandOverError;
pub use membership::upgrade::{UpgradeError, UpgradeStatus};
pub use node::Node;
pub use pieces::Pieces;
pub use session::{AdminAction, ClientAction, Session, SessionError, Wanted};

// What proposals, answers and states are made of.
pub use licensing_core::address::ServerAddress;
pub use licensing_core::command::{Action, Call, Command, Identity, Removal};
pub use licensing_core::event::Event;
pub use licensing_core::id::{Handle, LogIndex, RequestId, Role, Seats, SessionId, Timestamp, Token};
pub use licensing_core::license::{Compiled, License};
pub use licensing_core::outcome::{Answer, Denial, Outcome};
pub use licensing_core::state::State;
pub use status::counts::NodeCounts;
pub use status::health::ServerHealth;
pub use status::metrics::NodeMetrics;

/// What to log of a node, as a filter of `tracing_subscriber::EnvFilter`: everything a person should see, and nothing of what
/// openraft and sled say to their own authors.
pub const LOG_FILTER: &str = "info,openraft=error,sled=warn";

/// First bytes of a peer's connection: a listener that serves others as well tells peers by them.
pub const PEER_PREAMBLE: [u8; 4] = *b"\0LSP";
