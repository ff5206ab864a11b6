//! The daemon with what this program adds to it: a log of what happens, in the words administrators search for.

use std::future::Future;
use std::net::SocketAddr;

use licensing_daemon::{Daemon, DaemonConfig, RunError};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::sinks::debug_log;

/// Runs a server until `shutdown` is done, an administrator stops it, or its node fails.
///
/// The node lives on the runtime this is called on, most clients and the log on `other_threads`, if there are any; see
/// [`Daemon::start`]. `ready` is called once, when the store is open and the port answers.
pub async fn run(
    config: DaemonConfig,
    listener: TcpListener,
    other_threads: Option<Handle>,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let daemon = Daemon::start(config, listener, other_threads.clone()).await?;
    // Dropping the set ends the log.
    let mut sinks = JoinSet::new();
    let logging = debug_log::follow(daemon.events());
    match &other_threads {
        Some(threads) => sinks.spawn_on(logging, threads),
        None => sinks.spawn(logging),
    };
    daemon.run(ready, shutdown).await
}
