//! What is put to the test: a service of three servers that lends seats, and its clients.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_core::id::{LogIndex, Role, Seats, SessionId, Timestamp};
use licensing_raft::watch::Watched;

use super::host::{FASTEST, Host};
use super::network::Network;
use super::notes::Notes;
use super::random::Stream;
use crate::history::{Count, Held, Kind, Later, Line, Recorder, Told};
use crate::oracle::Violation;

/// A server of an older version did not start, because the others had agreed on what it does not know.
pub(crate) const REFUSED: &str = "starts refused because the server was too old";

/// A service of three servers, as the harness runs it. Implement it for your daemon and hand it to
/// [`run`](super::run()).
pub trait Service: Send + Sync + Sized + 'static {
    /// A running server.
    type Server: Clone + Send + Sync + 'static;
    /// A client of it.
    type Client: Client;

    /// Its servers: three, or the primary alone.
    fn roles(&self) -> &'static [Role] {
        &Role::ALL
    }

    /// Seats of each feature it lends, now or later.
    fn licensed(&self) -> BTreeMap<String, Seats>;

    /// Vendors that it serves only later, by name.
    fn later(&self) -> BTreeMap<String, Later> {
        BTreeMap::new()
    }

    /// License lines of features that are not licensed on all days, by the names of the features.
    fn dated(&self) -> BTreeMap<String, Vec<Line>> {
        BTreeMap::new()
    }

    /// Whether there is an older version of its servers, which [`Host::is_older`] asks [`Service::start`] for.
    fn has_versions(&self) -> bool {
        false
    }

    /// Whether clients may keep data with the seats they hold ([`Kind::SetData`]), which is then shown.
    fn keeps_data(&self) -> bool {
        false
    }

    /// Whether a client that does not wait for the answer to a checkout gives back by itself what it is granted all the same.
    fn gives_back(&self) -> bool {
        false
    }

    /// Whether clients may end their session ([`Kind::Close`]), ask how many seats are out ([`Kind::Count`]), and not wait for the
    /// answer to a checkin.
    fn asks_all(&self) -> bool {
        false
    }

    /// Starts a server on what its host keeps. Every task must be started with [`Host::spawn`] (nodes do so by
    /// themselves), so that it stands still and dies with its host.
    ///
    /// Errors: why it does not start, which is a violation: whatever a crash leaves must do.
    fn start(&self, host: &Host) -> impl Future<Output = Result<Self::Server, String>> + Send;

    /// Power is lost: nothing is said, nothing is written. The host ends what was started with [`Host::spawn`].
    fn crash(&self, server: &Self::Server) -> impl Future<Output = ()> + Send {
        let _ = server;
        std::future::ready(())
    }

    /// A planned stop, as an administrator asks for it.
    fn stop(&self, server: &Self::Server) -> impl Future<Output = ()> + Send {
        self.crash(server)
    }

    /// A new client. May wait until it is served; [`None`] when it gave up.
    fn client(
        &self,
        site: &Arc<Site<Self>>,
        number: u32,
    ) -> impl Future<Output = Option<Self::Client>> + Send;

    /// How long a client that has fallen silent keeps its seats; [`None`]: for ever.
    fn grace(&self) -> Option<Duration> {
        None
    }

    /// Whether answers carry the index of a log that decides them. If not, histories are judged by what clients could
    /// see, which takes longer and notices less.
    fn is_witnessed(&self) -> bool {
        true
    }

    /// The state a server holds, if it can show it. Is asked of servers that stand still too.
    fn show(&self, server: &Self::Server) -> Option<Shown> {
        let _ = server;
        None
    }

    /// Which of these serves, if any.
    fn master(&self, servers: &Servers<Self>) -> Option<Role> {
        let _ = servers;
        None
    }

    /// Whether every server can do without one other at this moment, so that a disk may be lost.
    fn can_spare_one(&self, servers: &Servers<Self>) -> bool {
        let _ = servers;
        false
    }

    /// Why a server has stopped by itself, if it has.
    fn failure(&self, server: &Self::Server) -> Option<String> {
        let _ = server;
        None
    }

    /// Has the servers agree, if they will, on what only the present version knows.
    fn agree(&self, site: &Site<Self>) -> impl Future<Output = ()> + Send {
        let _ = site;
        std::future::ready(())
    }

    /// Whether a server was right to stop by itself, or not to start: an older one that has met what it does not know.
    fn may_stop(&self, site: &Site<Self>, role: Role, why: &str) -> bool {
        let _ = (site, role, why);
        false
    }

    /// Whether a healed service is what it should be: the right master serves, all servers are level. Otherwise what is
    /// missing.
    fn settled(&self, servers: &Servers<Self>) -> Result<(), String> {
        let _ = servers;
        Ok(())
    }

    /// Claims of the service's own, looked at again and again during a run.
    fn look(&self, site: &Site<Self>) {
        let _ = site;
    }

    /// Whatever else should happen during the faults (operators, for instance), until [`Site::stop`] says `true`.
    fn attend(&self, site: Arc<Site<Self>>) -> impl Future<Output = ()> + Send {
        let _ = site;
        std::future::ready(())
    }

    /// Undoes what [`Service::attend`] has done, before the healed service must settle.
    fn heal(&self, site: &Site<Self>) -> impl Future<Output = ()> + Send {
        let _ = site;
        std::future::ready(())
    }

    /// Claims that can be looked at only when all is over.
    fn end(&self, site: &Site<Self>) {
        let _ = site;
    }
}

/// One client of a service. Clones are the same client: it may ask several things at the same time.
pub trait Client: Clone + Send + Sync + 'static {
    /// Its session, where there are sessions.
    fn session(&self) -> Option<SessionId> {
        None
    }

    /// Whether it gives seats back by [`Kind::GiveBack`]: whoever does not wait for the answer knows that it will be done.
    fn is_guarded(&self) -> bool {
        false
    }

    /// Asks and says what it was told. Whoever gives up says [`Told::Unknown`].
    fn ask(&mut self, kind: &Kind) -> impl Future<Output = Told> + Send;
}

/// The three servers, where they run.
pub type Servers<S> = [Option<<S as Service>::Server>; 3];

/// A state that a server holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What it had applied.
    pub applied: LogIndex,
    /// State time there, where there is one.
    pub at: Option<Timestamp>,
    /// The edition of the rules it applies, where there are editions.
    pub edition: Option<u32>,
    /// Seats of each feature.
    pub features: BTreeMap<String, Count>,
    /// The checkouts.
    pub held: Vec<Held>,
}

/// Where a run happens.
pub struct Site<S: Service> {
    /// The service.
    pub service: Arc<S>,
    /// Decides everything.
    pub seed: u64,
    /// Who hears whom.
    pub network: Network,
    /// What clients were told.
    pub recorder: Recorder,
    /// Becomes `true` when the clients should stop.
    pub stop: Watched<bool>,
    /// Whether all troubles are over and the service has recovered from them.
    pub(crate) peace: AtomicBool,
    pub(crate) hosts: [Host; 3],
    servers: Mutex<Servers<S>>,
    /// Since when a server has been down, or has stood still.
    away_since_us: Mutex<[Option<u64>; 3]>,
    pub(crate) notes: Notes,
}

impl<S: Service> Site<S> {
    pub(crate) fn new(
        service: Arc<S>,
        seed: u64,
        network: Network,
        recorder: Recorder,
        hosts: [Host; 3],
        notes: Notes,
    ) -> Site<S> {
        Site {
            service,
            seed,
            network,
            recorder,
            stop: Watched::new(false),
            peace: AtomicBool::new(false),
            hosts,
            servers: Mutex::new([const { None }; 3]),
            away_since_us: Mutex::new([Some(0); 3]),
            notes,
        }
    }

    /// The least time after which a client that has fallen silent loses its seats: the grace as the fastest clock counts it.
    pub(crate) fn least_grace(&self) -> Option<Duration> {
        self.service.grace().map(|grace| grace * 1000 / FASTEST)
    }

    /// Whether all troubles are over, and the service has recovered from them.
    pub(crate) fn is_peace(&self) -> bool {
        self.peace.load(Ordering::SeqCst)
    }

    /// Random numbers for one purpose.
    pub fn random(&self, purpose: &str) -> Stream {
        Stream::new(self.seed, purpose)
    }

    /// The machine of a server.
    pub fn host(&self, role: Role) -> &Host {
        &self.hosts[role.place()]
    }

    /// The servers that run, standing still or not.
    pub fn servers(&self) -> Servers<S> {
        lock(&self.servers).clone()
    }

    /// A server, if it runs and does not stand still.
    pub fn awake(&self, role: Role) -> Option<S::Server> {
        let server = lock(&self.servers)[role.place()].clone();
        server.filter(|_| !self.host(role).gate().is_closed())
    }

    /// Since when a server has been down, or has stood still; `None` for one that may be heard.
    pub fn away_since_us(&self, role: Role) -> Option<u64> {
        lock(&self.away_since_us)[role.place()]
    }

    fn set_away(&self, role: Role, away: bool) {
        let since = &mut lock(&self.away_since_us)[role.place()];
        *since = away.then(|| since.unwrap_or_else(|| self.recorder.now_us()));
    }

    fn set_server(&self, role: Role, server: Option<S::Server>) {
        lock(&self.servers)[role.place()] = server;
    }

    /// Starts a server on what its host keeps. One that is right to refuse stays down.
    pub async fn start(&self, role: Role) {
        // Others may hear it before it says that it runs.
        self.set_away(role, false);
        let started = self.service.start(self.host(role)).await;
        self.set_away(role, started.is_err());
        match started {
            Ok(server) => self.set_server(role, Some(server)),
            Err(why) if self.service.may_stop(self, role, &why) => self.count(REFUSED),
            Err(why) => self.fail("every server starts on what its disk holds", format!("the {role}: {why}")),
        }
    }

    /// The server dies; what it had not synced is gone.
    pub async fn crash(&self, role: Role) {
        let Some(server) = self.servers()[role.place()].clone() else { return };
        self.set_server(role, None);
        self.set_away(role, true);
        self.network.refuse(role);
        self.service.crash(&server).await;
        self.host(role).end_tasks().await;
        self.host(role).gate().open();
    }

    /// The server stands still until [`Site::resume`].
    pub fn pause(&self, role: Role) {
        self.set_away(role, true);
        self.host(role).gate().close();
    }

    /// The server goes on where it stood still.
    pub fn resume(&self, role: Role) {
        self.set_away(role, self.servers()[role.place()].is_none());
        self.host(role).gate().open();
    }

    /// Counts something that happened; a run set in which something needed never happened proves nothing.
    pub fn count(&self, what: &'static str) {
        tracing::info!(at_us = self.recorder.now_us(), "{what}");
        self.notes.count(self.recorder.now_us(), what);
    }

    /// What has been counted.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.notes.counts()
    }

    /// A claim is not true.
    pub fn fail(&self, claim: &'static str, detail: impl ToString) {
        self.notes.fail(Violation::new(claim, detail).at(self.recorder.now_us()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
