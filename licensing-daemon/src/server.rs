//! What all tasks of a running server share: the node, the license file, who is master, how the end is announced.
//!
//! Two watch channels order the end: `stop` asks for it (a signal, `licensectl down`), `closing` says that the node
//! has stopped and connections may go. Between the two, clients are told who the new master is.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use licensing_client::license_file::LicenseFile;
use licensing_client::protocol::{MasterAddress, Whereabouts};
use licensing_client::{AdminKey, ServerAddress};
use licensing_core::id::Role;
use licensing_core::license::TriadIdentity;
use licensing_core::state::State;
use licensing_raft::time::Instant;
use licensing_raft::watch::{Watched, Watcher};
use licensing_raft::{Mastership, Node};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use crate::config::{DaemonConfig, Limits};
use crate::port::door::Door;
use crate::rights::judge::Judge;

/// So many client connections are served on the node's own thread: two wake-ups fewer for each request, which is what
/// a small site waits for. More of them would keep the node from its work.
const NEAR_CONNECTIONS: usize = 8;

/// How often the log says that all connections are taken: whoever is turned away tries again many times a second.
const REPEAT_FULL: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    pub(crate) node: Node,
    pub(crate) role: Role,
    /// Version of the program, as status answers tell it.
    pub(crate) version: String,
    /// Where clients find the servers, as the license file said at the start.
    pub(crate) addresses: Vec<ServerAddress>,
    pub(crate) identity: TriadIdentity,
    pub(crate) admin_key: Option<AdminKey>,
    pub(crate) limits: Limits,
    pub(crate) doors: Vec<Door>,
    pub(crate) judge: Option<Judge>,
    /// One permit for each client connection.
    pub(crate) connections: Arc<Semaphore>,
    /// When it was said last that there is none left.
    said_full: Mutex<Option<Instant>>,
    /// Threads for what the node's own thread should not be kept with, if there are any.
    pub(crate) other_threads: Option<Handle>,
    licenses: RwLock<Vec<Arc<LicenseFile>>>,
    whereabouts: Watched<Whereabouts>,
    stop: Watched<Option<Stop>>,
    closing: Watched<bool>,
    failed: Watched<Option<String>>,
}

/// The end was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop {
    /// Whether a master hands over first.
    pub(crate) hand_over: bool,
}

impl Server {
    pub(crate) fn new(node: Node, config: &DaemonConfig) -> Server {
        let role = config.node.role;
        Server {
            node,
            role,
            version: config.node.software_version.clone(),
            addresses: config
                .addresses
                .iter()
                .map(|server| ServerAddress::new(&server.host, server.port))
                .collect(),
            identity: config.licenses.first().map(|file| file.license.triad_identity()).unwrap_or_default(),
            admin_key: config.admin_key.clone(),
            limits: config.limits,
            doors: config.doors.clone(),
            judge: config.rights.clone(),
            connections: Arc::new(Semaphore::new(config.limits.connections)),
            said_full: Mutex::default(),
            other_threads: None,
            licenses: RwLock::new(config.licenses.iter().cloned().map(Arc::new).collect()),
            whereabouts: Watched::new(Whereabouts { role, master: None }),
            stop: Watched::new(None),
            closing: Watched::new(false),
            failed: Watched::new(None),
        }
    }

    /// With other threads than the node's own.
    pub(crate) fn with_threads(self, other_threads: Handle) -> Server {
        Server { other_threads: Some(other_threads), ..self }
    }

    /// The license files as they were last read. Nothing can panic while the lock is held.
    pub(crate) fn licenses(&self) -> Vec<Arc<LicenseFile>> {
        self.licenses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a file in the place of the one with the same path.
    pub(crate) fn set_license(&self, file: LicenseFile) {
        let mut licenses = self.licenses.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = licenses.iter_mut().find(|known| known.path == file.path) {
            *known = Arc::new(file);
        }
    }

    /// Where the next client connection is to be served, if not here.
    pub(crate) fn elsewhere(&self) -> Option<&Handle> {
        self.other_threads.as_ref().filter(|_| self.open_connections() >= NEAR_CONNECTIONS)
    }

    /// A place for one more connection that is no peer's; `None` when all are taken, which is said in the log.
    pub(crate) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.connections.clone().try_acquire_owned() {
            return Some(permit);
        }
        let mut said = self.said_full.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() > REPEAT_FULL) {
            *said = Some(Instant::now());
            let limit = self.limits.connections;
            warn!("all {limit} connections are taken: whoever comes now is turned away until one is closed");
        }
        None
    }

    /// Client connections there are.
    pub(crate) fn open_connections(&self) -> usize {
        self.limits.connections.saturating_sub(self.connections.available_permits())
    }

    /// Whether the state has a license to serve: not before the very first `Install`.
    pub(crate) fn is_licensed(&self) -> bool {
        self.node.look(State::is_licensed)
    }

    pub(crate) fn whereabouts(&self) -> Whereabouts {
        // Not as last published: a process that was stopped meanwhile may have lost the mastership without knowing it.
        self.whereabouts_of(&self.node.mastership_now())
    }

    pub(crate) fn watch_whereabouts(&self) -> Watcher<Whereabouts> {
        self.whereabouts.subscribe()
    }

    /// Tells everybody who is master; says whether that was new.
    pub(crate) fn publish(&self, whereabouts: Whereabouts) -> bool {
        self.whereabouts.send_if_modified(|last| {
            let changed = *last != whereabouts;
            *last = whereabouts;
            changed
        })
    }

    /// Where a server of the triad is, for clients.
    pub(crate) fn master_address(&self, role: Role) -> MasterAddress {
        let known = self.addresses.get(role.place()).cloned();
        let ServerAddress { host, port } = known.unwrap_or_else(|| ServerAddress::new("", 0));
        MasterAddress { role, host, port }
    }

    /// Who is master, when the node says this. A server that leads but may not serve names nobody, and so does one
    /// that has nothing to serve yet.
    pub(crate) fn whereabouts_of(&self, mastership: &Mastership) -> Whereabouts {
        let serves = mastership.serving && self.is_licensed();
        let master = mastership.master.filter(|master| *master != self.role || serves);
        Whereabouts { role: self.role, master: master.map(|role| self.master_address(role)) }
    }

    pub(crate) fn request_stop(&self, stop: Stop) {
        self.stop.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert(stop);
            first
        });
    }

    /// The server cannot go on, and why. The first reason stays.
    pub(crate) fn fail(&self, why: String) {
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert(why);
            first
        });
    }

    /// Waits until the server cannot go on.
    pub(crate) async fn failed(&self) -> String {
        let mut failed = self.failed.subscribe();
        let found = failed.wait_for(Option::is_some).await;
        found.ok().and_then(|why| why.clone()).unwrap_or_default()
    }

    /// Waits until the end is asked for.
    pub(crate) async fn stop_requested(&self) -> Stop {
        let mut asked = self.stop.subscribe();
        let found = asked.wait_for(Option::is_some).await;
        // The sender lives in self, so there always is an answer.
        found.ok().flatten().unwrap_or(Stop { hand_over: true })
    }

    pub(crate) fn close_connections(&self) {
        self.closing.send_replace(true);
    }

    pub(crate) fn watch_closing(&self) -> Watcher<bool> {
        self.closing.subscribe()
    }
}
