//! What can go wrong, one small enum per operation. Each message names the thing, what was done with it, and what to
//! do now.

use std::io;
use std::path::PathBuf;

use licensing_core::edition::Edition;
use licensing_core::id::Role;

/// A configuration that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The license file is neither for a single server nor for a triad.
    #[error(
        "the license file has {servers} SERVER lines, write one for a single server or three for a triad"
    )]
    NotATriad {
        /// How many there are.
        servers: usize,
    },
    /// A single server is the primary, and there is no other.
    #[error(
        "a single server cannot be the {role}: leave the role out, or use a license file with three SERVER lines"
    )]
    SingleIsPrimary {
        /// As configured.
        role: Role,
    },
    /// A SERVER line of a triad has no port.
    #[error("line {line}: SERVER {host} has no port, each server of a triad needs one")]
    NoPort {
        /// Its host.
        host: String,
        /// Its line in the file.
        line: u32,
    },
    /// The timings contradict each other.
    #[error("a lease of {lease_ms} ms must be at least three heartbeats of {heartbeat_ms} ms")]
    Timings {
        /// As configured.
        heartbeat_ms: u64,
        /// As configured.
        lease_ms: u64,
    },
    /// Sessions would end before a failover is over.
    #[error("a session grace of {grace_ms} ms must be at least two leases of {lease_ms} ms")]
    Grace {
        /// As configured.
        grace_ms: u64,
        /// As configured.
        lease_ms: u64,
    },
    /// The tertiary cannot found a triad: it can never be master.
    #[error("the tertiary cannot force the bootstrap, start the primary or the secondary with it")]
    ForcedByTertiary,
    /// Not a key.
    #[error("a peer key is 64 hex digits, this text has {length} characters")]
    PeerKey {
        /// Characters found.
        length: usize,
    },
    /// A piece that is empty, or larger than what it travels in.
    #[error("{what} is {found}: 1 to {limit} can be moved at once")]
    Pieces {
        /// Which one.
        what: &'static str,
        /// What was given.
        found: usize,
        /// The most.
        limit: usize,
    },
    /// The operating system gives no random bytes.
    #[error("cannot read random bytes from the operating system: {0}")]
    Randomness(String),
}

/// A node that did not start. Nothing was changed on disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// See [`ConfigError`].
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The directory cannot be used.
    #[error("data directory {}: {problem}", path.display())]
    DataDirectory {
        /// Which one.
        path: PathBuf,
        /// Why not, and what to do.
        problem: String,
    },
    /// The directory belongs to another server.
    #[error(
        "data directory {} belongs to the {found_role} of triad `{found_triad}`, this is the {own_role} of \
         `{own_triad}`: give the right directory, or an empty one",
        path.display()
    )]
    ForeignDirectory {
        /// Which one.
        path: PathBuf,
        /// Whose it is.
        found_role: String,
        /// Of which triad.
        found_triad: String,
        /// Who wanted it.
        own_role: Role,
        /// Of which triad.
        own_triad: String,
    },
    /// The directory was written by a newer program.
    #[error(
        "data directory {} has format {found}, this program knows formats up to {known}: upgrade this server",
        path.display()
    )]
    NewerFormat {
        /// Which one.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// The disk failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The replication engine did not start.
    #[error("cannot start replication: {0}")]
    Engine(String),
}

/// A proposal without a definite answer. Only [`ProposeError::Unknown`] leaves open whether it happened: all others say that
/// nothing was done, and nothing will be. That holds while the node stops, and afterwards, too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProposeError {
    /// Nothing was done: this server is not the master, or not any more. Of a read: this server cannot tell.
    #[error("this server is not the master, {}", match master { Some(role) => format!("the {role} is"), None => "and none is known".to_owned() })]
    NotMaster {
        /// Who is, if known.
        master: Option<Role>,
    },
    /// Nothing was done: too many proposals are under way.
    #[error("too many requests are under way, try again in {retry_after_ms} ms")]
    Busy {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// Nothing was done: the command is too large for an entry of the log.
    #[error("a command of {bytes} bytes is too large, the limit is {limit} bytes")]
    TooLarge {
        /// Encoded size.
        bytes: usize,
        /// Largest accepted.
        limit: usize,
    },
    /// Nothing was done: the rule that allows it sleeps, because not all servers have agreed on it yet.
    #[error(
        "it needs edition {needed} of the rules, and the servers apply {applied}: upgrade them all, then \
         `licensectl upgrade --finish`"
    )]
    NeedsEdition {
        /// What allows it.
        needed: Edition,
        /// What is applied.
        applied: Edition,
    },
    /// It may or may not have happened, and may still. Ask again with the same request number, here or at the new master.
    #[error("unknown whether it was done: {0}")]
    Unknown(String),
    /// Nothing was done: the node has stopped by itself, because of its disk for instance. One that was stopped by
    /// [`Node::stop`](crate::Node::stop) says [`ProposeError::NotMaster`].
    #[error("the node has stopped: {0}")]
    Stopped(String),
}
