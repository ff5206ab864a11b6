//! The daemon's public face: everything a running server does, from an open port to the last goodbye.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use licensing_core::counted;
use licensing_core::event::Event;
use licensing_raft::time::timeout;
use licensing_raft::{Node, StartError};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::config::DaemonConfig;
use crate::server::{Server, Stop};
use crate::{license, port, status};

/// How long the node may take to hand over and to close its store. A handover takes milliseconds and the store a
/// flush; a disk that hangs must not keep a host from shutting down.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// How long connections may take to write what they have and close.
const FAREWELL_DEADLINE: Duration = Duration::from_secs(2);

/// Why a server did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// See [`StartError`].
    #[error(transparent)]
    Start(#[from] StartError),
    /// Nobody said something that must be known.
    #[error("a daemon needs {what}: say it to its builder")]
    Missing {
        /// What it is.
        what: &'static str,
    },
    /// A door of the program's own cannot be told from others.
    #[error("connections that begin with `{preamble}` are those of {whose}: choose other four bytes")]
    Door {
        /// How its connections begin, with what is not printable escaped.
        preamble: String,
        /// Who begins so already.
        whose: &'static str,
    },
    /// Two license files of one vendor.
    #[error(
        "{} and {} are both of vendor `{vendor}`: give one file for each vendor",
        paths[0].display(),
        paths[1].display()
    )]
    SameVendor {
        /// Whose they are.
        vendor: String,
        /// Which two.
        paths: [PathBuf; 2],
    },
    /// The listener was of no use.
    #[error("cannot listen: {0}")]
    Listener(io::Error),
    /// The node refuses to go on, because of its disk for instance.
    #[error("stopped: {0}")]
    Failed(String),
}

/// Connections the system keeps until they are accepted. After a failover all clients of the old master come within
/// the same few milliseconds; whoever finds the queue full tries again a whole second later, and peers wait in the
/// same queue. Linux takes the smaller of this and net.core.somaxconn (4096).
const BACKLOG: u32 = 4096;

/// Opens a port for [`Daemon::start`].
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server must not wait for the connections of its past life to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A server of the triad whose store is open and whose node runs; clients are served in [`Daemon::run`].
pub struct Daemon {
    server: Arc<Server>,
    listener: TcpListener,
    address: SocketAddr,
}

impl Daemon {
    /// Opens the store and joins the peers.
    ///
    /// The node lives on a thread of its own, with the port and the first few clients, whose requests then take the
    /// shortest way; all others are served on the runtime this is called on (ADR 0015). Blocking that runtime makes those
    /// clients wait, and costs no mastership. `listener` is opened by the caller (see [`listen`]), so that tests take any
    /// free port.
    ///
    /// Fails when the configuration cannot work or the data directory cannot be used.
    pub async fn start(config: DaemonConfig, listener: TcpListener) -> Result<Daemon, RunError> {
        let address = listener.local_addr().map_err(RunError::Listener)?;
        for warning in &config.warnings {
            warn!("{warning}");
        }
        if cfg!(feature = "testing") {
            // Cargo unifies features within a build: the harness in the same workspace is enough.
            warn!(
                "built with the switches of tests: build a daemon that is to be shipped by itself (cargo build -p)"
            );
        }
        let environment = port::dialing::environment(&config.node.data_dir);
        let node = Node::start_in(config.node.clone(), environment).await?;
        let listener = match node.thread() {
            Some(thread) => moved_to(thread, listener).map_err(RunError::Listener)?,
            None => listener,
        };
        let server = Arc::new(Server::new(node, &config).with_threads(Handle::current()));
        for file in &config.licenses {
            let lines = counted(file.license.features.len() as u64, "feature line");
            info!(role = %server.role, %address, "serving {} with {lines}", file.path.display());
        }
        if let Some(warning) = other_port(&config, address) {
            warn!("{warning}");
        }
        Ok(Daemon { server, listener, address })
    }

    /// What happens from now on. A receiver that is too slow is told that it missed some.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.server.node.events()
    }

    /// Serves until `shutdown` is done, an administrator stops it, or its node fails.
    ///
    /// `ready` is called once, when the port answers; whether there is a master by then is another matter.
    pub async fn run(
        self,
        ready: impl FnOnce(SocketAddr),
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), RunError> {
        let Daemon { server, listener, address } = self;
        let mut failure = server.node.failure();
        // Dropping the set ends the tasks.
        let mut tasks = JoinSet::new();
        let (here, near) = (Handle::current(), server.node.thread().cloned());
        let near = near.unwrap_or_else(|| here.clone());
        tasks.spawn_on(status::follow_mastership(server.clone()), &near);
        tasks.spawn_on(license::follow_installs(server.clone()), &here);
        tasks.spawn_on(status::tell_warnings(server.clone()), &here);
        let accepting = tasks.spawn_on(port::accept(server.clone(), listener), &near);
        ready(address);

        let failed = tokio::select! {
            () = shutdown => {
                server.request_stop(Stop { hand_over: true });
                None
            }
            _ = server.stop_requested() => None,
            why = failure.wait_for(Option::is_some) => why.ok().and_then(|why| why.clone()),
            why = server.failed() => Some(why),
        };
        accepting.abort();
        match &failed {
            Some(why) => error!("EXITING: {why}"),
            None => stop_node(&server).await,
        }
        server.close_connections();
        let all = u32::try_from(server.limits.connections).unwrap_or(u32::MAX);
        let _ = timeout(FAREWELL_DEADLINE, server.connections.acquire_many(all)).await;
        info!("stopped");
        failed.map_or(Ok(()), |why| Err(RunError::Failed(why)))
    }
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon")
            .field("role", &self.server.role)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// What is odd about where it listens, if anything: peers and clients go where the SERVER lines say.
fn other_port(config: &DaemonConfig, address: SocketAddr) -> Option<String> {
    let role = config.node.role;
    let told = [config.addresses.get(role.place()), config.node.servers.get(role.place())];
    let told: Vec<u16> = told.into_iter().flatten().map(|server| server.port).collect();
    (!told.is_empty() && !told.contains(&address.port())).then(|| {
        format!(
            "the {role} listens on port {}, and the others are told to find it at port {}: that is right only if \
             something between forwards it",
            address.port(),
            told[0]
        )
    })
}

/// A signal to stop: the end of [`Daemon::run`], with a handover. SIGTERM or SIGINT; elsewhere than on Unix, Ctrl-C.
///
/// # Errors
///
/// The system takes no more handlers of signals.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

/// The same listener, watched by another runtime.
fn moved_to(runtime: &Handle, listener: TcpListener) -> io::Result<TcpListener> {
    let _inside = runtime.enter();
    TcpListener::from_std(listener.into_std()?)
}

async fn stop_node(server: &Server) {
    let Stop { hand_over } = server.stop_requested().await;
    info!(hand_over, "Shutdown requested");
    if timeout(STOP_DEADLINE, server.node.stop(hand_over)).await.is_err() {
        warn!("the node did not stop within {STOP_DEADLINE:?}");
    }
}
