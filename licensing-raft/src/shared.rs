//! What all rooms of a running node share. What is done with it stands in the rooms; here are only the questions that
//! several of them ask.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use licensing_core::id::{LogIndex, Timestamp};
use licensing_core::state::State;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use tokio::sync::{OnceCell, Semaphore};

use crate::config::NodeConfig;
use crate::engine::failure::Failure;
use crate::engine::runtime::NodeTasks;
use crate::engine::watch::Watched;
use crate::environment::Environment;
use crate::machine::{Machine, Raft};
use crate::mastership::Mastership;
use crate::mastership::former_lease::FormerLease;
use crate::mastership::leader_sign::LeaderSign;
use crate::mastership::lives::{Boot, Lives};
use crate::mastership::patience::Patience;
use crate::membership::returned::Returned;
use crate::membership::standing::{StandingKeeper, TriadId};
use crate::peer::hello::Introduction;
use crate::peer::known::Survey;
use crate::peer::message::Report;
use crate::peer::network::PeerNetworks;
use crate::peer::reception::Reception;
use crate::sessions::grace::Grace;
use crate::sessions::signs_of_life::SignsOfLife;
use crate::status::advance::Advance;
use crate::status::counts::Counts;
use crate::store::log::LogStore;
use crate::time::Instant;

pub(crate) struct Shared {
    pub(crate) config: NodeConfig,
    pub(crate) environment: Environment,
    pub(crate) raft: Raft,
    pub(crate) machine: Machine,
    pub(crate) standing: Arc<dyn StandingKeeper>,
    /// Held by whoever gives a server without a history its first entries, or agrees to found a triad because there are none.
    pub(crate) beginning: tokio::sync::Mutex<()>,
    pub(crate) networks: PeerNetworks,
    pub(crate) survey: Survey,
    pub(crate) sign: LeaderSign,
    pub(crate) lives: Lives,
    pub(crate) former_lease: FormerLease,
    pub(crate) patience: Patience,
    pub(crate) signs_of_life: SignsOfLife,
    pub(crate) grace: Grace,
    pub(crate) mastership: Watched<Mastership>,
    pub(crate) started: Instant,
    pub(crate) log: LogStore,
    pub(crate) boot: Boot,
    pub(crate) introduction: Introduction,
    pub(crate) troubles: [Arc<Mutex<Option<String>>>; 3],
    pub(crate) remarks: Vec<String>,
    /// Stopping: still answers its peers, takes no mastership and no proposals.
    pub(crate) leaving: AtomicBool,
    /// One license at a time is on its way from here.
    pub(crate) installing: tokio::sync::Mutex<()>,
    /// The triad was founded in this life of this server: nobody has anything to go back to yet.
    pub(crate) is_new: AtomicBool,
    /// Answers nobody any more.
    pub(crate) stopped: AtomicBool,
    pub(crate) handovers: AtomicU32,
    pub(crate) counts: Counts,
    pub(crate) returned: Returned,
    pub(crate) advance: Advance,
    pub(crate) failure: Failure,
    pub(crate) proposals: Semaphore,
    pub(crate) reception: Reception,
    pub(crate) tasks: NodeTasks,
    /// Tasks that answer peers: they end before openraft does.
    pub(crate) connections: NodeTasks,
    /// Set once everything has ended: whoever asks for the end a second time waits for the same one.
    pub(crate) ended: OnceCell<()>,
}

impl Shared {
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    /// Whether this server may hold something that was decided. A vote alone is none: where two servers have no entry,
    /// nothing was ever decided, and a founder that loses its disk before the first decision may found again.
    pub(crate) fn has_history(&self) -> bool {
        !self.log.is_unwritten()
    }

    /// See [`Standing::bound_to`].
    pub(crate) fn bound_to(&self) -> Option<TriadId> {
        self.standing.read().bound_to(self.has_history())
    }

    /// How much longer a lease may run that this server granted before it was started; zero if none can.
    pub(crate) fn former_lease_left(&self) -> Duration {
        let may_run = self.former_lease.may_run(self.is_new.load(Ordering::SeqCst));
        let left = || self.config.timings.lease().saturating_sub(self.started.elapsed());
        if may_run { left() } else { Duration::ZERO }
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
            known_edition: self.config.known_edition,
            readmitted: self.returned.boots(),
        }
    }
}
