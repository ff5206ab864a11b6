//! A daemon of one's own, put to the test as the reference server is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_core::id::{Role, Seats};
use licensing_core::license::{Compiled, License};
use licensing_core::state::State;
use licensing_daemon::LicenseFile;
use licensing_raft::{Node, NodeConfig, PEER_PREAMBLE};
use tokio::io::{AsyncReadExt, DuplexStream};

use super::{GRACE, HasNode, Watch, can_spare_one, hasten, master, settled, show};
use crate::simulation::host::{FIRST_PORT, Host};
use crate::simulation::network::{End, Incoming};
use crate::simulation::service::{Client, Servers, Service, Shown, Site};

/// What is a daemon's own: how it starts, what it does with a connection, who its clients are. [`Nodes`] does the rest: it
/// starts three of them, connects their nodes, installs the license, and claims of them what it claims of the reference
/// server: one master, equal replicas, kept invariants, a state time that never goes back, and in the end the primary as
/// master and all level.
pub trait NodeService: Send + Sync + Sized + 'static {
    /// A running server: a [`Node`], a [`SimulatedServer`](licensing_daemon::testing::SimulatedServer), or something around
    /// one.
    type Server: HasNode + Clone + Send + Sync + 'static;
    /// One of its clients.
    type Client: Client;

    /// FEATURE lines of vendor `demo`, each feature once.
    fn features(&self) -> String;

    /// Starts a server on a host, with [`Host::start_node`] for instance.
    ///
    /// Errors: why it does not start, which is a violation.
    fn start(
        &self,
        host: &Host,
        config: NodeConfig,
        license: LicenseFile,
    ) -> impl Future<Output = Result<Self::Server, String>> + Send;

    /// Serves one connection of a client until it ends. Those of peers go to the node without being asked.
    fn serve(
        &self,
        server: Self::Server,
        stream: DuplexStream,
        from: End,
    ) -> impl Future<Output = ()> + Send + 'static;

    /// A new client. May wait until it is served; [`None`] when it gave up.
    fn client(
        &self,
        site: &Arc<Site<Nodes<Self>>>,
        number: u32,
    ) -> impl Future<Output = Option<Self::Client>> + Send;
}

/// Three servers with a daemon of one's own: hand it to [`run`](crate::simulation::run()).
pub struct Nodes<S> {
    own: Arc<S>,
    watch: Mutex<Watch>,
}

impl<S> std::fmt::Debug for Nodes<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nodes").finish_non_exhaustive()
    }
}

impl<S: NodeService> Nodes<S> {
    /// Three of these.
    pub fn of(own: S) -> Nodes<S> {
        Nodes { own: Arc::new(own), watch: Mutex::default() }
    }

    /// What is the daemon's own.
    pub fn own(&self) -> &S {
        &self.own
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn license(&self) -> LicenseFile {
        let servers: String = Role::ALL
            .map(|role| format!("SERVER memory ANY {}\n", u64::from(FIRST_PORT) + role.number()))
            .concat();
        let servers = servers.replacen('\n', " PRIMARY_IS_MASTER\n", 1);
        let text = format!("{servers}VENDOR demo\n{}", self.own.features());
        let license = License::parse(&text).unwrap_or_else(|errors| panic!("the features: {errors:?}"));
        LicenseFile { path: "demo.lic".into(), text, license, options: None }
    }
}

impl<S: NodeService> Service for Nodes<S> {
    type Server = S::Server;
    type Client = S::Client;

    fn licensed(&self) -> BTreeMap<String, Seats> {
        let features = self.license().license.features.into_iter();
        let seats = |count| match count {
            licensing_core::license::Count::Counted(seats) => Seats(seats),
            licensing_core::license::Count::Uncounted => Seats(u32::MAX),
        };
        features.map(|line| (line.name, seats(line.count))).collect()
    }

    async fn start(&self, host: &Host) -> Result<S::Server, String> {
        let license = self.license();
        let mut config = NodeConfig::from_license(&license.license, host.role(), "memory")
            .map_err(|error| error.to_string())?;
        hasten(&mut config, host);
        let compiled = Compiled::from_text("demo.lic", &license.text).map_err(|error| error.to_string())?;
        let server = self.own.start(host, config, license).await?;
        host.spawn(install_first(server.node().clone(), compiled));
        let (own, serving, at) = (self.own.clone(), server.clone(), host.clone());
        let listener = move |incoming: Incoming| match incoming.from {
            End::Server(_) => at.spawn(accept_peer(serving.node().clone(), incoming)),
            from @ End::Client(_) => at.spawn(own.serve(serving.clone(), incoming.stream.plain(), from)),
        };
        host.network().listen(host.role(), Arc::new(listener));
        self.watch().begins(host);
        Ok(server)
    }

    async fn crash(&self, server: &S::Server) {
        server.node().crash().await;
    }

    async fn stop(&self, server: &S::Server) {
        server.node().stop(true).await;
    }

    async fn client(&self, site: &Arc<Site<Nodes<S>>>, number: u32) -> Option<S::Client> {
        self.own.client(site, number).await
    }

    fn grace(&self) -> Option<Duration> {
        Some(GRACE)
    }

    fn show(&self, server: &S::Server) -> Option<Shown> {
        Some(server.node().look(|state| show(state, |_, feature| Some(feature.to_owned()))))
    }

    fn master(&self, servers: &Servers<Self>) -> Option<Role> {
        master(servers)
    }

    fn can_spare_one(&self, servers: &Servers<Self>) -> bool {
        can_spare_one(&Role::ALL, servers)
    }

    fn failure(&self, server: &S::Server) -> Option<String> {
        server.node().failure().borrow().clone()
    }

    fn settled(&self, servers: &Servers<Self>) -> Result<(), String> {
        settled(&Role::ALL, servers)
    }

    fn look(&self, site: &Site<Self>) {
        self.watch().look(site);
    }
}

async fn accept_peer(node: Node, Incoming { mut stream, from, seen }: Incoming) {
    let mut preamble = [0; PEER_PREAMBLE.len()];
    if stream.read_exact(&mut preamble).await.is_ok() && preamble == PEER_PREAMBLE {
        node.accept_peer_on(stream, from.to_string(), Some(seen));
    }
}

/// Installs the license whenever this server is master and there is none, as whoever embeds a node must.
async fn install_first(node: Node, license: Compiled) {
    let mut mastership = node.mastership();
    while mastership.wait_for(|now| now.serving).await.is_ok() {
        if node.look(State::is_licensed) || node.install(license.clone()).await.is_ok() {
            return;
        }
        // Somebody else may be master now, or nobody knows what became of it.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
