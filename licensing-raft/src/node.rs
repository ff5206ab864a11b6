//! One server of a triad: the whole public face of this crate.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use licensing_core::command::Command;
use licensing_core::event::Event;
use licensing_core::id::{LogIndex, Role, SessionId, Timestamp};
use licensing_core::mutant::{Mutant, planted};
use licensing_core::outcome::Answer;
use licensing_core::state::State;
use openraft::async_runtime::WatchReceiver;
use openraft::{ReadPolicy, ServerState};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, broadcast, oneshot};
use tokio::time::{Instant, timeout};

use crate::campaign::LeaderSign;
use crate::config::NodeConfig;
use crate::counts::{Counts, NodeCounts};
use crate::environment::Environment;
use crate::error::{ProposeError, StartError};
use crate::expiry::SignsOfLife;
use crate::grace::Grace;
use crate::health::ServerHealth;
use crate::machine::Machine;
use crate::mastership::Mastership;
use crate::peer::checks;
use crate::peer::hello::{HELLO_TIMEOUT, Introduction};
use crate::peer::link::{Link, Route};
use crate::peer::message::{Lane, PeerReply, PeerRequest, Report};
use crate::peer::network::{PeerLinks, PeerNetworks};
use crate::peer::pipeline::Progressed;
use crate::runtime::NodeTasks;
use crate::standing::StandingKeeper;
use crate::store::Store;
use crate::store::log::LogStore;
use crate::survey::{ANSWER_TTL, SETTLED_INTERVAL, Survey, UNSETTLED_INTERVAL};
use crate::types::Raft;
use crate::watch::{Watched, Watcher};
use crate::{bootstrap, campaign, desk, expiry, health, heartbeat, mastership, pin, settings, snapshots};

/// Proposals under way at once: several times what a commit can take, so that the disk is never idle, and few enough
/// that on a slow machine too, at 4,000 decisions a second, a waiting one is answered within its deadline.
const MAX_PROPOSALS: usize = 2048;
/// Hellos under way at once. One that is not done when so many others have begun is given up: whoever says hello
/// slowly, or not at all, keeps nobody out. A few megabytes.
const MAX_HELLOS: u64 = 256;
/// The same refusal of a peer is logged this often.
const REPEAT_REFUSAL: Duration = Duration::from_secs(60);
/// Boots of peers that are remembered as readmitted.
const READMITTED: usize = 8;

/// One server of a triad. Clones share it; it runs until [`Node::stop`].
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: NodeConfig,
    pub(crate) environment: Environment,
    pub(crate) raft: Raft,
    pub(crate) machine: Machine,
    pub(crate) standing: Arc<dyn StandingKeeper>,
    pub(crate) networks: PeerNetworks,
    pub(crate) survey: Survey,
    pub(crate) sign: LeaderSign,
    pub(crate) signs_of_life: SignsOfLife,
    pub(crate) grace: Grace,
    pub(crate) mastership: Watched<Mastership>,
    pub(crate) started: Instant,
    pub(crate) log: LogStore,
    boot: [u8; 16],
    introduction: Introduction,
    pub(crate) troubles: [Arc<Mutex<Option<String>>>; 3],
    remarks: Vec<String>,
    /// Stopping: still answers its peers, takes no mastership and no proposals.
    leaving: AtomicBool,
    /// Answers nobody any more.
    stopped: AtomicBool,
    handovers: AtomicU32,
    pub(crate) counts: Counts,
    readmitted: Mutex<Vec<[u8; 16]>>,
    pub(crate) failure: Watched<Option<String>>,
    last_refusal: Mutex<Option<(String, Instant)>>,
    pub(crate) proposals: Semaphore,
    /// Of each peer and lane the newest connection. When another comes, the one before it is let go, so there are never
    /// more than three from each of two peers.
    newest: Mutex<BTreeMap<(Role, Lane), oneshot::Sender<()>>>,
    /// How many connections have begun to say hello.
    hellos: Watched<u64>,
    tasks: NodeTasks,
    /// Tasks that answer peers: they end before openraft does.
    connections: NodeTasks,
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
        let failure = Watched::new(None);
        let reported = failure.clone();
        let opening = config.clone();
        let store = crate::runtime::off_thread(move || {
            Store::open(&opening, move |why| reported.send_replace(Some(why)))
        });
        let store = store.await.map_err(|error| StartError::Engine(error.to_string()))??;
        let tasks = NodeTasks::new(seed(&environment)?, true);
        Node::start_on(config, environment, store, failure, tasks).await
    }

    async fn start_on(
        config: NodeConfig,
        environment: Environment,
        store: Store,
        failure: Watched<Option<String>>,
        tasks: NodeTasks,
    ) -> Result<Node, StartError> {
        let run = assemble(config, environment, store, failure, tasks.clone());
        let inner = tasks.scope(run).await?;
        Ok(Node { inner })
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
        gate: &crate::testing::Gate,
    ) -> Result<Node, StartError> {
        config.check()?;
        let store = disk.open(&config);
        let tasks = NodeTasks::simulated(seed(&environment)?, gate.clone());
        Node::start_on(config, environment, store, Watched::new(None), tasks).await
    }

    /// Ends everything where it stands, as the death of the process would: nothing is handed over, flushed or said.
    #[cfg(feature = "testing")]
    pub async fn crash(&self) {
        self.inner.leaving.store(true, Ordering::SeqCst);
        self.inner.stopped.store(true, Ordering::SeqCst);
        self.inner.connections.end().await;
        self.inner.tasks.end().await;
        self.inner.mastership.send_replace(Mastership::unknown(self.inner.config.role));
        self.inner.standing.release();
    }

    /// What openraft holds: for tests that must see that nothing was taken from a peer.
    #[cfg(feature = "testing")]
    pub fn raft_view(&self) -> crate::testing::forge::RaftView {
        crate::testing::forge::RaftView::of(&self.inner)
    }

    /// Asks the triad for a decision. Returns its answer once it is on the disks of a quorum.
    ///
    /// Fails without a definite answer; see [`ProposeError`] for which failures leave it open. Asking again is safe for
    /// every [`Command`]: a resent one gets its first answer.
    pub async fn propose(&self, command: Command) -> Result<Answer, ProposeError> {
        self.inner.propose(&command).await
    }

    /// The state as of now: everything acknowledged before the call is in it. Only the master can tell.
    pub async fn read(&self) -> Result<State, ProposeError> {
        let inner = &self.inner;
        if planted(Mutant::LocalRead) {
            return Ok(inner.machine.state());
        }
        inner.ensure_serving()?;
        let ready = async {
            let linearizer = inner.raft.get_read_linearizer(ReadPolicy::ReadIndex).await.ok()?;
            linearizer.await_ready(&inner.raft).await.ok()
        };
        match timeout(inner.deadline(), ready).await {
            Ok(Some(_)) => Ok(inner.machine.state()),
            Ok(None) | Err(_) => Err(ProposeError::NotMaster { master: inner.other_master() }),
        }
    }

    /// What this server has applied: a cheap copy, possibly behind the master.
    pub fn state(&self) -> State {
        self.inner.machine.state()
    }

    /// A look at what this server has applied, without a copy. `look` must be short: it holds up everything else.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.inner.machine.look(look)
    }

    /// A sign of life of a session: its grace begins anew.
    pub fn touch(&self, session: SessionId) {
        self.inner.signs_of_life.note(session);
    }

    /// How long a session may be silent now: what was configured; where that is more, 2.5 ms for each of
    /// them, a minute at most (ADR 0016).
    pub fn session_grace(&self) -> Duration {
        self.inner.grace.now()
    }

    /// How often a client should be asked to show that it lives, so that it stays well within
    /// [`Node::session_grace`]. It changes with the number of sessions: tell it with each sign of life.
    pub fn session_heartbeat(&self) -> Duration {
        self.inner.grace.heartbeat()
    }

    /// Who may serve, kept up to date.
    pub fn mastership(&self) -> Watcher<Mastership> {
        self.inner.mastership.subscribe()
    }

    /// Mastership as it is at this very moment, not as it was when it was last watched.
    pub fn mastership_now(&self) -> Mastership {
        mastership::now(&self.inner)
    }

    /// Whether this server may serve at this very moment. The watched mastership is a few milliseconds old, and older
    /// when the process was stopped in between.
    pub fn serves(&self) -> bool {
        self.inner.ensure_serving().is_ok()
    }

    /// Everything that happens from now on, in the order of the log.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.machine.events()
    }

    /// `Some(why)` once the node has stopped by itself, after a storage error for instance. It does not recover.
    pub fn failure(&self) -> Watcher<Option<String>> {
        self.inner.failure.subscribe()
    }

    /// What is known of the three servers, in order.
    pub fn servers(&self) -> [ServerHealth; 3] {
        Role::ALL.map(|role| health::of(&self.inner, role))
    }

    /// How often the rarer things have happened.
    pub fn counts(&self) -> NodeCounts {
        self.inner.counts.read()
    }

    /// What an administrator should know, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let inner = &self.inner;
        let mut warnings = inner.remarks.clone();
        warnings.extend(inner.failure.borrow().clone());
        if inner.config.peer_key.is_none() {
            warnings.push("peers are not authenticated: no peer key is configured".to_owned());
        }
        warnings
    }

    /// Serves a connection that began with [`crate::PEER_PREAMBLE`], which has been read.
    pub fn accept_peer<S>(&self, stream: S, from: String)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let inner = self.inner.clone();
        if inner.stopped.load(Ordering::SeqCst) {
            return;
        }
        let mut number = 0;
        inner.hellos.send_if_modified(|hellos| {
            *hellos += 1;
            number = *hellos;
            true
        });
        let connections = inner.connections.clone();
        connections.spawn(async move {
            let mut hellos = inner.hellos.subscribe();
            let triad_id = inner.standing.read().triad_id();
            let nonce = match inner.environment.randomness.bytes() {
                Ok(nonce) => nonce,
                Err(error) => return tracing::error!("no randomness for a peer's hello: {error}"),
            };
            let hello = timeout(HELLO_TIMEOUT, inner.introduction.accept(stream, triad_id, nonce));
            let met = tokio::select! {
                biased;
                met = hello => met,
                _ = hellos.wait_for(|hellos| *hellos >= number + MAX_HELLOS) => {
                    return inner.refused_peer(&from, "too many say hello at the same time");
                }
            };
            match met {
                Ok(Ok(proven)) => {
                    let replaced = inner.replace_connection(proven.peer, proven.lane);
                    tokio::select! {
                        biased;
                        _ = replaced => {}
                        () = desk::serve(inner, proven) => {}
                    }
                }
                Ok(Err(error)) => inner.refused_peer(&from, &error.to_string()),
                Err(_) => inner.refused_peer(&from, "it did not finish its hello"),
            }
        });
    }

    /// Stops the node and lets go of its data directory. With `hand_over` a master gives its mastership to the best
    /// other server first. Must not be called twice at the same time.
    pub async fn stop(&self, hand_over: bool) {
        let inner = &self.inner;
        inner.leaving.store(true, Ordering::SeqCst);
        if hand_over {
            // The others learn first that this server leaves, so that nobody hands the mastership back to it.
            for role in inner.config.role.others() {
                ask(inner, role).await;
            }
            if let Some(target) = pin::successor(inner) {
                pin::hand_over(inner, target).await;
            }
        }
        // What is left to say goes with the tasks; an unfinished proposal is unknown to its caller.
        inner.stopped.store(true, Ordering::SeqCst);
        inner.connections.end().await;
        let _ = inner.raft.shutdown().await;
        inner.mastership.send_replace(Mastership::unknown(inner.config.role));
        inner.tasks.end().await;
        let log = inner.log.clone();
        if let Err(error) = crate::runtime::off_thread(move || log.close()).await {
            tracing::error!("the log was not closed cleanly: {error}");
        }
        inner.standing.release();
    }
}

/// The beginning of a node's own random numbers, which spread its timers.
fn seed(environment: &Environment) -> Result<u64, StartError> {
    let bytes = environment.randomness.bytes().map_err(|error| StartError::Engine(error.to_string()))?;
    Ok(u64::from_le_bytes(bytes[..8].try_into().unwrap_or_default()))
}

async fn assemble(
    config: NodeConfig,
    environment: Environment,
    store: Store,
    failure: Watched<Option<String>>,
    tasks: NodeTasks,
) -> Result<Arc<Inner>, StartError> {
    let introduction = Introduction {
        role: config.role,
        triad: config.triad.clone(),
        rules: settings::rules(&config),
        key: config.peer_key.clone(),
    };
    let troubles: [Arc<Mutex<Option<String>>>; 3] = Default::default();
    let links = Role::ALL.map(|target| {
        (target != config.role).then(|| {
            let route = Route {
                target,
                address: config.servers[target.place()].clone(),
                introduction: introduction.clone(),
                standing: store.standing.clone(),
                environment: environment.clone(),
                trouble: troubles[target.place()].clone(),
            };
            PeerLinks {
                log: Link::start(route.clone(), Lane::Log, &tasks),
                control: Link::start(route.clone(), Lane::Control, &tasks),
                snapshot: Link::start(route, Lane::Snapshot, &tasks),
                progressed: Progressed::default(),
            }
        })
    });
    let append_ttl =
        config.timings.lease().min(Duration::from_millis(150)).max(config.timings.heartbeat() * 2);
    // Half of what the lease has to spare; the other half is for the time between looks at it.
    let append_patience = config.timings.lease_margin() / 2;
    let networks = PeerNetworks { links, append_ttl, append_patience };
    let machine = Machine::new(store.shelf.clone());
    let engine = |error: &dyn std::fmt::Display| StartError::Engine(error.to_string());
    let boot = environment.randomness.bytes().map_err(|error| engine(&error))?;
    let raft_config = Arc::new(settings::of_openraft(&config).validate().map_err(|error| engine(&error))?);
    let raft =
        Raft::new(config.role.number(), raft_config, networks.clone(), store.log.clone(), machine.clone())
            .await
            .map_err(|error| engine(&error))?;
    for remark in &store.remarks {
        tracing::error!("{remark}");
    }
    let mastership = Watched::new(Mastership::unknown(config.role));
    let inner = Arc::new(Inner {
        raft,
        machine,
        standing: store.standing,
        networks,
        survey: Survey::default(),
        sign: LeaderSign::new(),
        signs_of_life: SignsOfLife::default(),
        grace: Grace::new(config.session_grace),
        mastership,
        started: Instant::now(),
        log: store.log,
        boot: boot[..16].try_into().unwrap_or_default(),
        introduction,
        troubles,
        remarks: store.remarks,
        leaving: AtomicBool::new(false),
        stopped: AtomicBool::new(false),
        handovers: AtomicU32::new(0),
        counts: Counts::default(),
        readmitted: Mutex::default(),
        failure,
        last_refusal: Mutex::default(),
        proposals: Semaphore::new(MAX_PROPOSALS),
        newest: Mutex::default(),
        hellos: Watched::new(0),
        connections: tasks.sibling(),
        tasks,
        config,
        environment,
    });
    for role in inner.config.role.others() {
        inner.tasks.spawn(survey(inner.clone(), role));
    }
    inner.tasks.spawn(bootstrap::settle(inner.clone()));
    inner.tasks.spawn(campaign::campaign(inner.clone()));
    inner.tasks.spawn(pin::pin(inner.clone()));
    inner.tasks.spawn(expiry::watch(inner.clone()));
    inner.tasks.spawn(heartbeat::send(inner.clone()));
    inner.tasks.spawn(snapshots::take(inner.clone()));
    inner.tasks.spawn(mastership::publish(inner.clone(), inner.mastership.clone()));
    inner.tasks.spawn(watch_core(inner.clone()));
    Ok(inner)
}

/// Asks a peer what it knows, again and again.
async fn survey(inner: Arc<Inner>, role: Role) {
    loop {
        ask(&inner, role).await;
        let settled = inner.standing.read().may_vote()
            && inner.survey.fresh(role).is_none_or(|heard| heard.report.standing.may_vote());
        tokio::time::sleep(if settled { SETTLED_INTERVAL } else { UNSETTLED_INTERVAL }).await;
    }
}

async fn ask(inner: &Inner, role: Role) {
    let Some(links) = inner.networks.links(role) else { return };
    let asked_at = Instant::now();
    let reply = links.control.call(PeerRequest::Survey(inner.report()), ANSWER_TTL).await;
    if let Ok(PeerReply::Survey(report)) = reply
        && checks::report(role, &report).is_ok()
    {
        // The peer read its clock about half-way between question and answer.
        inner.survey.note(report, asked_at.elapsed() / 2);
    }
}

/// Notices when openraft has stopped by itself: its metrics may go on saying that all is well.
async fn watch_core(inner: Arc<Inner>) {
    loop {
        tokio::time::sleep(SETTLED_INTERVAL).await;
        if inner.is_leaving() {
            return;
        }
        if let Err(fatal) = inner.raft.with_raft_state(|_| ()).await {
            return inner.fail(format!("replication has stopped: {fatal}"));
        }
    }
}

impl Inner {
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    /// A peer has one connection for each lane. If an older one is still there, its far end is gone without a word, as a
    /// host that lost its power: nothing would ever come of it.
    fn replace_connection(&self, peer: Role, lane: Lane) -> oneshot::Receiver<()> {
        let (newest, replaced) = oneshot::channel();
        // Dropping what was there before is what tells it.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).insert((peer, lane), newest);
        replaced
    }

    /// Says why a peer was refused, once in a while: it tries again many times a second.
    fn refused_peer(&self, from: &str, why: &str) {
        let mut last = self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|(said, at)| said != why || at.elapsed() > REPEAT_REFUSAL) {
            tracing::warn!(%from, "refused a peer: {why}");
            *last = Some((why.to_owned(), Instant::now()));
        }
    }

    /// Stops serving for good and says why. The first reason stays.
    pub(crate) fn fail(&self, why: String) {
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                tracing::error!("{why}");
                *failure = Some(why);
            }
            first
        });
    }

    pub(crate) fn is_handing_over(&self) -> bool {
        self.handovers.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn begin_handover(&self) -> HandoverGuard<'_> {
        self.handovers.fetch_add(1, Ordering::SeqCst);
        HandoverGuard(self)
    }

    /// Whether this server may hold something that was decided. A vote alone is none: where two servers have no entry,
    /// nothing was ever decided, and a founder that loses its disk before the first decision may found again.
    pub(crate) fn has_history(&self) -> bool {
        self.raft.metrics().borrow_watched().last_log_index.is_some()
    }

    pub(crate) fn readmit(&self, boot: [u8; 16]) {
        let mut readmitted = self.readmitted.lock().unwrap_or_else(PoisonError::into_inner);
        if readmitted.len() == READMITTED {
            readmitted.remove(0);
        }
        readmitted.push(boot);
    }

    pub(crate) fn has_readmitted(&self, boot: [u8; 16]) -> bool {
        self.readmitted.lock().unwrap_or_else(PoisonError::into_inner).contains(&boot)
    }

    /// Whether a leader that is there knows how little this server remembers.
    pub(crate) fn is_readmitted(&self) -> bool {
        self.config
            .role
            .others()
            .into_iter()
            .filter_map(|role| self.survey.fresh(role))
            .any(|heard| heard.report.leads && heard.report.readmitted.contains(&self.boot))
    }

    pub(crate) fn triad_time(&self) -> Timestamp {
        let state_clock = self.machine.look(State::clock);
        self.survey.triad_time(self.environment.clock.now(), state_clock)
    }

    pub(crate) fn report(&self) -> Report {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        Report {
            role: self.config.role,
            boot: self.boot,
            standing: self.standing.read(),
            leads: metrics.state == ServerState::Leader,
            last_log_index: metrics.last_log_index.map(LogIndex),
            applied_index: metrics.last_applied.map(|id| LogIndex(id.index)),
            clock: self.environment.clock.now(),
            leaving: self.is_leaving(),
            software_version: self.config.software_version.clone(),
            license_fingerprint: self.config.license_fingerprint.clone(),
            readmitted: self.readmitted.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Proposals wait as long as this lives.
pub(crate) struct HandoverGuard<'a>(&'a Inner);

impl Drop for HandoverGuard<'_> {
    fn drop(&mut self) {
        self.0.handovers.fetch_sub(1, Ordering::SeqCst);
    }
}
