//! The search for a site's master: all its servers are asked at the same time, and the first that says "I am" is it.
//!
//! A server that is not master is kept connected and listened to, because it says by itself when mastership moves:
//! so a failover is noticed as soon as it happened, not at the next try. What a server says about *another* server
//! only decides whom to dial next; it may be old news, so each server is dialed on its own account with pauses
//! that grow, and the one that just failed is never dialed on hearsay.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use licensing_core::id::{Role, Token};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::debug;

use super::pause::Pause;
use crate::connection::Connection;
use crate::dial::Dial;
use crate::error::ConnectionError;
use crate::protocol::{Hello, MasterAddress, ServerMessage, Whereabouts};
use crate::search_path::ServerAddress;

/// Most servers asked: a triad under the names of the search path and again under those of its SERVER lines, and one
/// spare.
pub(crate) const MAX_CANDIDATES: usize = 7;

/// At a start, the next server is dialed when the one before has not answered for so long: more than a healthy
/// answer takes in one building, less than anybody notices. So the first server usually gets the only connection.
const STAGGER: Duration = Duration::from_millis(30);

/// First pause before a server is dialed again; a process that restarts listens within milliseconds.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Longest such pause: three servers then cost a client thirty tries a second, while a refused connection costs
/// either side some microseconds.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A search that takes longer than this is no failover but an outage; pauses are ten times as long from then on.
const URGENT: Duration = Duration::from_secs(10);

/// How long servers that know of no master are waited for before an independent site is tried.
const PATIENCE: Duration = Duration::from_millis(250);

/// A standby that has said nothing for so long is dialed anew, in case the connection is dead without having said
/// so.
pub(crate) const LISTEN_LIMIT: Duration = Duration::from_secs(5);

/// What a search needs to make connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) hello: Hello,
    /// Spreads the pauses.
    pub(crate) token: Token,
}

/// A server that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) address: ServerAddress,
    /// As the search path or the server itself says, if either does.
    pub(crate) role: Option<Role>,
}

/// A server that may be or know the master.
#[derive(Debug)]
struct Candidate {
    address: ServerAddress,
    role: Option<Role>,
    /// When to dial it; `None` while it is dialed or listened to.
    due: Option<Instant>,
    /// Dialed on its own account only.
    suspect: bool,
    pause: Pause,
    /// What it said or what went wrong last.
    last: Option<String>,
    /// It is no master, as far as it was willing to say by now.
    settled: bool,
}

enum Step {
    Opened(usize, Result<Connection, ConnectionError>),
    Moved(usize, Connection, Whereabouts),
    Failed(usize, String),
}

/// How servers are dialed at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// One after the other with [`STAGGER`] between, as at a start.
    InOrder,
    /// All at once, after a master was lost.
    AtOnce,
}

/// What a search comes to.
pub(crate) enum Sought {
    /// The master.
    Master(Box<Connection>),
    /// All servers have answered or failed by now, and none is master. The search goes on.
    Settled,
}

/// A search under way.
pub(crate) struct Seek {
    dialer: Dialer,
    candidates: Vec<Candidate>,
    /// The server the client is connected to meanwhile: not asked, whatever others say.
    connected: Option<Known>,
    running: FuturesUnordered<BoxFuture<'static, Step>>,
    begun: Instant,
    settled_told: bool,
}

impl Seek {
    /// Searches among these servers, from `begin` on. `connected` is left out; `suspect` is the server that just
    /// failed, if it is among them.
    pub(crate) fn new(
        dialer: Dialer,
        servers: &[Known],
        manner: Manner,
        begin: Instant,
        connected: Option<Known>,
        suspect: Option<&ServerAddress>,
    ) -> Seek {
        let (candidates, running) = (Vec::new(), FuturesUnordered::new());
        let mut seek = Seek { dialer, candidates, connected, running, begun: begin, settled_told: false };
        for (place, known) in servers.iter().enumerate() {
            let due = match manner {
                Manner::InOrder => begin + STAGGER * place as u32,
                Manner::AtOnce => begin,
            };
            seek.add(known.clone(), due, suspect == Some(&known.address));
        }
        seek
    }

    /// The connection beside the search broke: its server is asked like the others, from `due` on.
    pub(crate) fn add_lost(&mut self, due: Instant) {
        if let Some(lost) = self.connected.take() {
            self.add(lost, due, true);
        }
    }

    /// One more server to ask, unless it is asked already.
    fn add(&mut self, known: Known, due: Instant, suspect: bool) {
        let Known { address, role } = known;
        let is_connected = self.connected.as_ref().is_some_and(|connected| connected.address == address);
        let is_new = !is_connected && self.candidates.iter().all(|candidate| candidate.address != address);
        if is_new && self.candidates.len() < MAX_CANDIDATES {
            let pause = Pause::new(FIRST_PAUSE, LONGEST_PAUSE, self.dialer.token);
            let candidate =
                Candidate { address, role, due: Some(due), suspect, pause, last: None, settled: false };
            self.candidates.push(candidate);
        }
    }

    /// The master's connection, once there is one. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Sought {
        loop {
            self.dial_due();
            let due = self.candidates.iter().filter_map(|candidate| candidate.due).min();
            let step = tokio::select! {
                biased;
                Some(step) = self.running.next(), if !self.running.is_empty() => step,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => continue,
                // Neither a server to dial nor one to hear: only for an empty list.
                else => std::future::pending().await,
            };
            if let Some(found) = self.step(step) {
                return Sought::Master(Box::new(found));
            }
            if !self.settled_told && self.all_settled() {
                self.settled_told = true;
                return Sought::Settled;
            }
        }
    }

    /// News from elsewhere about who is master.
    pub(crate) fn hint(&mut self, master: &MasterAddress) {
        if self.connected.as_ref().is_some_and(|connected| connected.role == Some(master.role)) {
            return;
        }
        let by_role = self.candidates.iter().position(|candidate| candidate.role == Some(master.role));
        let named = ServerAddress::new(master.host.clone(), master.port);
        let by_name = || self.candidates.iter().position(|candidate| candidate.address == named);
        if let Some(place) = by_role.or_else(by_name) {
            let candidate = &mut self.candidates[place];
            if let Some(due) = &mut candidate.due
                && !candidate.suspect
            {
                *due = Instant::now();
            }
        } else if !self.dialer.hello.relay {
            self.add(Known { address: named, role: Some(master.role) }, Instant::now(), false);
        }
    }

    /// Whether every server has answered or failed, and was given time to learn of a master: another site may be
    /// tried.
    pub(crate) fn is_settled(&self) -> bool {
        self.all_settled() && (Instant::now() >= self.patience() || self.running.is_empty())
    }

    fn all_settled(&self) -> bool {
        self.candidates.iter().all(|candidate| candidate.settled)
    }

    /// When [`Seek::is_settled`] may change by time alone.
    pub(crate) fn patience(&self) -> Instant {
        self.begun + PATIENCE
    }

    /// What each server said last, for an error.
    pub(crate) fn problems(&self) -> String {
        let problem = |candidate: &Candidate| match &candidate.last {
            Some(last) => last.clone(),
            None => format!("{} has not answered yet", candidate.address),
        };
        self.candidates.iter().map(problem).collect::<Vec<_>>().join("; ")
    }

    fn dial_due(&mut self) {
        let now = Instant::now();
        for (place, candidate) in self.candidates.iter_mut().enumerate() {
            if candidate.due.is_some_and(|due| due <= now) {
                candidate.due = None;
                let (dialer, address) = (self.dialer.clone(), candidate.address.clone());
                self.running.push(Box::pin(async move {
                    Step::Opened(place, Connection::open(&*dialer.dial, &address, &dialer.hello).await)
                }));
            }
        }
    }

    fn step(&mut self, step: Step) -> Option<Connection> {
        match step {
            Step::Opened(place, Ok(connection)) => {
                let whereabouts = connection.ready().whereabouts.clone();
                let candidate = &mut self.candidates[place];
                candidate.role = Some(whereabouts.role);
                self.heard(place, connection, whereabouts)
            }
            Step::Moved(place, connection, whereabouts) => {
                // More than a welcome: this server does not just accept and hang up.
                self.candidates[place].pause.reset();
                self.heard(place, connection, whereabouts)
            }
            Step::Opened(place, Err(error)) => {
                self.failed(place, error.to_string());
                None
            }
            Step::Failed(place, problem) => {
                self.failed(place, problem);
                None
            }
        }
    }

    fn heard(
        &mut self,
        place: usize,
        connection: Connection,
        whereabouts: Whereabouts,
    ) -> Option<Connection> {
        debug!(server = %connection.server(), ?whereabouts, "heard while looking for the master");
        if whereabouts.is_master() {
            return Some(connection);
        }
        let address = connection.server();
        let word = match &whereabouts.master {
            Some(master) => format!("{address} says that the {} is master", master.role),
            None => format!("{address} knows of no master"),
        };
        if self.dialer.hello.relay && whereabouts.master.is_some() {
            // It could not pass this connection on when it was made, and may now pass on a new one. Whoever else is told of is
            // behind the same address.
            drop(connection);
            self.failed(place, word);
            return None;
        }
        let candidate = &mut self.candidates[place];
        candidate.last = Some(word);
        candidate.settled = true;
        self.running.push(Box::pin(listen(place, connection)));
        if let Some(master) = &whereabouts.master {
            self.hint(master);
        }
        None
    }

    fn failed(&mut self, place: usize, problem: String) {
        debug!(problem, "failed while looking for the master");
        let now = Instant::now();
        let candidate = &mut self.candidates[place];
        candidate.last = Some(problem);
        candidate.settled = true;
        let urgent = now < self.begun + URGENT;
        candidate.due = Some(now + candidate.pause.take() * if urgent { 1 } else { 10 });
        // The next in order need not wait for this one any longer.
        let untried = |candidate: &&mut Candidate| candidate.last.is_none() && candidate.due.is_some();
        if let Some(next) = self.candidates.iter_mut().find(untried) {
            next.due = next.due.min(Some(now));
        }
    }
}

/// Waits for a server that is not master to say something about it.
async fn listen(place: usize, mut connection: Connection) -> Step {
    match timeout(LISTEN_LIMIT, connection.next()).await {
        Ok(Ok(ServerMessage::Moved(whereabouts))) => Step::Moved(place, connection, whereabouts),
        Ok(Ok(ServerMessage::Reply { .. })) => {
            Step::Failed(place, format!("{} answered what was not asked", connection.server()))
        }
        Ok(Err(error)) => Step::Failed(place, error.to_string()),
        Err(_) => Step::Failed(place, format!("{} has no news of a master", connection.server())),
    }
}
