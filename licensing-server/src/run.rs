//! The daemon with what this program adds to it: a log of what happens, in the words administrators search for.

use std::future::Future;
use std::net::SocketAddr;

use licensing_daemon::{Daemon, DaemonConfig, RunError};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::sinks::debug_log;

/// Runs a server until `shutdown` is done, an administrator stops it, or its node fails.
///
/// Most clients and the log are served on the runtime this is called on; see [`Daemon::start`]. `ready` is called once, when the store is open and the port answers.
pub async fn run(
    config: DaemonConfig,
    listener: TcpListener,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let daemon = Daemon::start(config, listener).await?;
    // Dropping the set ends the log.
    let mut sinks = JoinSet::new();
    sinks.spawn(debug_log::follow(daemon.events()));
    daemon.run(ready, shutdown).await
}
