//! One server of a triad: the whole public face of this crate.

use std::fmt;
use std::io;
#[cfg(feature = "testing")]
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "testing")]
use std::sync::atomic::Ordering;
use std::time::Duration;

use licensing_core::address::ServerAddress;
use licensing_core::command::Command;
use licensing_core::event::Event;
use licensing_core::id::{LogIndex, Role, SessionId};
use licensing_core::license::Compiled;
use licensing_core::outcome::Answer;
use licensing_core::state::State;
#[cfg(feature = "testing")]
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::broadcast;

use crate::config::NodeConfig;
use crate::engine::failure::Failure;
use crate::engine::runtime::{NodeTasks, off_thread};
use crate::engine::thread::NodeThread;
use crate::engine::watch::Watcher;
use crate::environment::{Connecting, Environment};
use crate::error::{ProposeError, StartError};
use crate::mastership::resign::{self, HandOverError};
use crate::mastership::{Mastership, judge};
use crate::membership::upgrade::{UpgradeError, UpgradeStatus};
use crate::peer::accept::{self, Read};
use crate::shared::Shared;
use crate::start::{assemble, seed};
use crate::status::counts::NodeCounts;
use crate::status::health::{self, ServerHealth};
use crate::status::metrics::NodeMetrics;
use crate::stop;
use crate::store::Store;

/// One server of a triad. Clones share it.
///
/// It lives on a thread of its own, with the connections of its peers: a program that keeps its own threads busy, or blocks
/// them, does not make it late. All methods may be called from any runtime of tokio.
///
/// It runs until [`Node::stop`]. When the last clone is dropped without that, it ends where it stands, as in a crash: nothing
/// acknowledged is lost, and the other servers take a lease's time to notice.
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
    /// A simulated node has none.
    thread: Option<Arc<NodeThread>>,
}

impl Node {
    /// Opens the store and joins the peers in the background. Returns as soon as the node runs; watch
    /// [`Node::mastership`] for a master.
    ///
    /// Fails when the configuration cannot work or the data directory cannot be used.
    pub async fn start(config: NodeConfig) -> Result<Node, StartError> {
        Node::start_in(config, Environment::default()).await
    }

    /// [`Node::start`] with other clocks, randomness or network than this host's.
    pub async fn start_in(config: NodeConfig, environment: Environment) -> Result<Node, StartError> {
        config.check()?;
        let failure = Failure::new();
        let reported = failure.clone();
        let opening = config.clone();
        let store = off_thread(move || Store::open(&opening, move |why| reported.fail(why)));
        let store = store.await.map_err(|error| StartError::Engine(error.to_string()))??;
        let thread = NodeThread::start(config.role).map_err(|error| StartError::Engine(error.to_string()))?;
        let tasks = NodeTasks::new(seed(&environment)?, Some(thread.handle().clone()), failure.clone());
        let shared = Node::start_on(config, environment, store, failure, tasks).await?;
        Ok(Node { shared, thread: Some(Arc::new(thread)) })
    }

    /// Its type is erased on purpose: what an `async fn` runs is compiled by whoever awaits it, and that would be all of
    /// openraft, once more in every program and test that starts a node.
    fn start_on(
        config: NodeConfig,
        environment: Environment,
        store: Store,
        failure: Failure,
        tasks: NodeTasks,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<Shared>, StartError>> + Send>> {
        Box::pin(async move {
            let run = assemble(config, environment, store, failure, tasks.clone());
            let started = tasks.run(run).await.map_err(|ended| StartError::Engine(ended.to_string()));
            if !matches!(started, Ok(Ok(_))) {
                // What had been started by then must not go on beside the next try.
                tasks.end().await;
            }
            started?
        })
    }

    /// Starts a node whose disk is `disk` and whose work stays on this thread and behind `gate`: under a paused clock,
    /// with a seeded environment, a triad of such nodes repeats itself step by step.
    ///
    /// Fails when the configuration cannot work.
    #[cfg(feature = "testing")]
    pub async fn start_simulated(
        config: NodeConfig,
        environment: Environment,
        disk: &crate::testing::MemoryDisk,
        gate: &crate::engine::gate::Gate,
    ) -> Result<Node, StartError> {
        config.check()?;
        let store = disk.open(&config);
        let failure = Failure::new();
        let tasks = NodeTasks::simulated(seed(&environment)?, gate.clone(), failure.clone());
        let shared = Node::start_on(config, environment, store, failure, tasks).await?;
        Ok(Node { shared, thread: None })
    }

    /// Ends everything where it stands, as the death of the process would: nothing is handed over, flushed or said.
    #[cfg(feature = "testing")]
    pub async fn crash(&self) {
        self.shared.leaving.store(true, Ordering::SeqCst);
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.shared.connections.end().await;
        self.shared.tasks.end().await;
        self.shared.mastership.send_replace(Mastership::unknown(self.shared.config.role));
        self.shared.standing.release();
    }

    /// How many tasks the node has: its own and its engine's, and those that answer peers.
    #[cfg(feature = "testing")]
    pub fn running_tasks(&self) -> (usize, usize) {
        (self.shared.tasks.running(), self.shared.connections.running())
    }

    /// What openraft holds: for tests that must see that nothing was taken from a peer.
    #[cfg(feature = "testing")]
    pub fn raft_view(&self) -> crate::testing::forge::RaftView {
        crate::testing::forge::RaftView::of(&self.shared)
    }

    /// Asks the triad for a decision. Returns its answer once it is on the disks of a quorum.
    ///
    /// Fails without a definite answer; see [`ProposeError`] for which failures leave it open. It waits for two leases at
    /// most. A future that is dropped takes nothing back: what was proposed may be decided all the same.
    ///
    /// Asking again is safe for every [`Command`]. A numbered [`Command::Call`] gets its first answer, as long as its session
    /// lives and nothing later was acknowledged. [`Command::OpenSession`] gives the same session while that lives, and opens
    /// another one afterwards. The rest may be done twice, and the second time changes nothing.
    ///
    /// Nothing is asked of the license here: whoever embeds a node installs one ([`Node::install`]), and until then every
    /// feature is unknown. Do not hand on a [`Command`] that a client has sent: it may be an administrator's. For clients
    /// there is [`Node::open_session`].
    pub async fn propose(&self, command: Command) -> Result<Answer, ProposeError> {
        self.shared.propose(&command).await
    }

    /// Asks the triad to serve a license, instead of the one its vendor had before. A long one travels in parts of a few
    /// hundred kilobytes, so that nobody waits behind it.
    ///
    /// Fails without a definite answer, as [`Node::propose`] does; asking again is safe.
    pub async fn install(&self, license: Compiled) -> Result<Answer, ProposeError> {
        self.shared.tasks.scope(self.shared.install(license)).await
    }

    /// Sets a key of the triad's vendor data, which is for the daemon's own settings, or removes it with `None`. The answer names
    /// the entry that set what is there now. With `believed` it is done only if that entry set what is there ([`LogIndex`] 0:
    /// if nothing is there), and denied otherwise: so that of two who read and write, one notices. Read it with
    /// [`State::triad_value`].
    ///
    /// Fails without a definite answer, as [`Node::propose`] does. Whoever asks again then may undo what another has set meanwhile;
    /// with `believed` that is denied, but so is what was done without an answer. Read before you ask again: a value that names its
    /// writer tells. Needs edition 3 of the rules.
    pub async fn set_triad_data(
        &self,
        key: impl Into<String>,
        value: Option<Vec<u8>>,
        believed: Option<LogIndex>,
    ) -> Result<Answer, ProposeError> {
        self.propose(Command::SetTriadData { key: key.into(), value, believed }).await
    }

    /// The state as of now: everything acknowledged before the call is in it. Only the master can tell.
    pub async fn read(&self) -> Result<State, ProposeError> {
        self.shared.read().await
    }

    /// What this server has applied: a cheap copy, possibly behind the master.
    pub fn state(&self) -> State {
        self.shared.machine.state()
    }

    /// A look at what this server has applied, without a copy. `look` must be short: it holds up everything else.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.shared.machine.look(look)
    }

    /// A connection to another server, by the way that the node takes itself, for what a daemon has to say there.
    pub fn connect(&self, address: &ServerAddress) -> Connecting {
        self.shared.environment.dialer.connect(address)
    }

    /// A sign of life of a session: its grace begins anew. Only the master judges silence, so on another server it does
    /// nothing. An id that is no session's is forgotten within a second; check it before, as [`Session::alive`] does, where
    /// strangers can invent ids.
    ///
    /// [`Session::alive`]: crate::Session::alive
    pub fn touch(&self, session: SessionId) {
        self.shared.signs_of_life.note(session);
    }

    /// How long a session may be silent now: what was configured; where that is more, 2.5 ms for each of
    /// them, a minute at most (ADR 0016).
    pub fn session_grace(&self) -> Duration {
        self.shared.grace.now()
    }

    /// How often a client should be asked to show that it lives, so that it stays well within
    /// [`Node::session_grace`]. It changes with the number of sessions: tell it with each sign of life.
    pub fn session_heartbeat(&self) -> Duration {
        self.shared.grace.heartbeat()
    }

    /// Who may serve, kept up to date.
    pub fn mastership(&self) -> Watcher<Mastership> {
        self.shared.mastership.subscribe()
    }

    /// Mastership as it is at this very moment, not as it was when it was last watched.
    pub fn mastership_now(&self) -> Mastership {
        judge::now(&self.shared)
    }

    /// Whether this server may serve at this very moment. The watched mastership is a few milliseconds old, and older
    /// when the process was stopped in between.
    pub fn serves(&self) -> bool {
        self.shared.ensure_serving().is_ok()
    }

    /// Everything that happens from now on, in the order of the log.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.machine.events()
    }

    /// `Some(why)` once the node has stopped by itself: after an error of its disk, or a panic of one of its parts. It serves
    /// nobody then and leads nobody, and does not recover: end it, or the process.
    pub fn failure(&self) -> Watcher<Option<String>> {
        self.shared.failure.subscribe()
    }

    /// What is known of all servers, in order.
    pub fn servers(&self) -> Vec<ServerHealth> {
        self.shared.config.roles().map(|role| health::of(&self.shared, role)).collect()
    }

    /// What the servers need for a newer edition of the rules, and whether they have it.
    pub fn upgrade(&self) -> UpgradeStatus {
        self.shared.upgrade()
    }

    /// Raises the edition to the newest that all servers know, now instead of after [`NodeConfig::upgrade_after`].
    ///
    /// Fails when this server is not the master, or when a server is not there to say what it knows.
    pub async fn finish_upgrade(&self) -> Result<Answer, UpgradeError> {
        self.shared.finish_upgrade().await
    }

    /// What this node was told when it started.
    pub fn config(&self) -> &NodeConfig {
        &self.shared.config
    }

    /// Where a server listens; `None` for one that there is not.
    pub fn address_of(&self, role: Role) -> Option<&ServerAddress> {
        self.shared.config.servers.get(role.place())
    }

    /// Hands the mastership to the best other server and goes on as a standby; gives the one that took it. It stays there
    /// until it is wanted elsewhere: a primary that is wanted as master (PRIMARY_IS_MASTER) gets it back. For good it goes
    /// by [`AdminAction::PreferMaster`](crate::AdminAction::PreferMaster).
    ///
    /// # Errors
    ///
    /// This server is not the master, no other one can take it now, or the one that was asked did not; then this one goes on.
    pub async fn hand_over(&self) -> Result<Role, HandOverError> {
        self.shared.tasks.scope(resign::to_the_best(&self.shared)).await
    }

    /// Where this node stands, for metrics: cheap, and a few milliseconds old at most.
    pub fn metrics(&self) -> NodeMetrics {
        NodeMetrics::of(&self.shared)
    }

    /// How often the rarer things have happened.
    pub fn counts(&self) -> NodeCounts {
        self.shared.counts.read()
    }

    /// What an administrator should know, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let shared = &self.shared;
        let mut warnings = shared.remarks.clone();
        warnings.extend(shared.failure.why());
        if shared.config.peer_key.is_none() && !shared.config.is_single() {
            warnings.push("peers are not authenticated: no peer key is configured".to_owned());
        }
        warnings
    }

    /// Accepts peers on a port that is theirs alone, on the node's own thread and until the node ends. Whoever is silent
    /// there keeps nobody out. Where clients use the same port, accept connections yourself and hand those of peers to
    /// [`Node::accept_peer`]; `licensing_daemon` does that.
    ///
    /// Fails when the listener cannot be moved to another thread.
    pub fn serve_peers(&self, listener: TcpListener) -> io::Result<()> {
        let listener = listener.into_std()?;
        let _inside = self.thread().map(Handle::enter);
        let listener = TcpListener::from_std(listener)?;
        self.shared.tasks.spawn(accept::accept_all(self.shared.clone(), listener));
        Ok(())
    }

    /// Serves a connection that began with [`crate::PEER_PREAMBLE`], which has been read. It moves to the node's own thread,
    /// whichever runtime accepted it. `from` is for logs.
    pub fn accept_peer(&self, stream: TcpStream, from: String) {
        let seen = stream.peer_addr().ok();
        let stream = stream.into_std();
        accept::accept(self.shared.clone(), move || TcpStream::from_std(stream?), from, seen, Read::Preamble);
    }

    /// [`Node::accept_peer`] for a connection that is no TCP; `seen` is the address that it comes from.
    #[cfg(feature = "testing")]
    pub fn accept_peer_on<S>(&self, stream: S, from: String, seen: Option<SocketAddr>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        accept::accept(self.shared.clone(), move || Ok(stream), from, seen, Read::Preamble);
    }

    /// The node's own thread, for a handful of short tasks whose steps alternate with the node's: each saves two wake-ups
    /// there. What blocks it, or keeps it busy for milliseconds, costs the mastership. A simulated node has none.
    pub fn thread(&self) -> Option<&Handle> {
        self.thread.as_deref().map(NodeThread::handle)
    }

    /// Stops the node and lets go of its data directory. With `hand_over` a master gives its mastership to the best
    /// other server first. Whoever asks a second time, on a clone or while the first is still at it, waits for the same
    /// end.
    pub async fn stop(&self, hand_over: bool) {
        stop::stop(&self.shared, hand_over).await;
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("role", &self.shared.config.role).finish_non_exhaustive()
    }
}
