//! One lane to one peer: dialed when first needed, dialed again when it broke, many requests under way at once.
//!
//! One task owns the connection. Requests leave in the order in which they were given; replies come in any order. A
//! reply that is late breaks the connection, because a peer that stopped answering may have left it half open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use licensing_core::address::ServerAddress;
use licensing_core::codec;
use licensing_core::id::Role;
use tokio::sync::{mpsc, oneshot};

use crate::engine::runtime::NodeTasks;
use crate::environment::{Dialed, Environment, Stream};
use crate::mastership::lives::{Lives, ToPeer};
use crate::membership::standing::{StandingKeeper, TriadId};
use crate::peer::hello::{HELLO_TIMEOUT, HelloError, Introduction, Proven};
use crate::peer::message::{Envelope, Lane, PeerReply, PeerRequest};
use crate::store::log::LogStore;
use crate::time::{Instant, timeout_at};

/// Requests waiting for their turn on a lane; openraft pipelines at most 16 appends per peer.
const QUEUE: usize = 64;

/// After a failed dial the next one waits this long: short, because a returning primary should be back within tens of
/// milliseconds, long enough not to spin.
const REDIAL_PAUSE: Duration = Duration::from_millis(10);

/// The same reason why it cannot be dialed is logged this often.
const REPEAT: Duration = Duration::from_secs(60);

/// Different reasons logged in that time; each lane says its own.
const REASONS: usize = 4;

/// What a link needs to know to dial.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) target: Role,
    pub(crate) address: ServerAddress,
    pub(crate) introduction: Introduction,
    pub(crate) standing: Arc<dyn StandingKeeper>,
    pub(crate) log: LogStore,
    pub(crate) environment: Environment,
    /// Why the last dial failed; shown in the status.
    pub(crate) trouble: Arc<Mutex<Option<String>>>,
    pub(crate) lives: Lives,
}

/// A request that got no reply.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LinkError {
    /// There is no connection and none can be made now.
    #[error("cannot reach the {role} at {address}: {why}")]
    Unreachable { role: Role, address: String, why: String },
    /// The connection broke, or the reply was late: the peer may have acted on the request.
    #[error("no reply from the {role}: {why}")]
    Lost { role: Role, why: String },
}

/// The way back to whoever asked.
pub(crate) type ReplySender = oneshot::Sender<Result<PeerReply, LinkError>>;

struct Outgoing {
    request: PeerRequest,
    deadline: Instant,
    reply: ReplySender,
}

/// A lane to a peer; clones share it.
#[derive(Clone)]
pub(crate) struct Link {
    role: Role,
    queue: mpsc::Sender<Outgoing>,
}

impl Link {
    pub(crate) fn start(route: Route, lane: Lane, tasks: &NodeTasks) -> Link {
        let (queue, requests) = mpsc::channel(QUEUE);
        let role = route.target;
        tasks.spawn(async move {
            LinkTask { route, lane, requests, last_failure: None, said: Said::default() }.run().await
        });
        Link { role, queue }
    }

    /// A lane whose far end is the test: it gets each request and the way to answer it.
    #[cfg(test)]
    pub(crate) fn scripted(role: Role) -> (Link, mpsc::UnboundedReceiver<(PeerRequest, ReplySender)>) {
        let (queue, mut requests) = mpsc::channel::<Outgoing>(QUEUE);
        let (asking, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(outgoing) = requests.recv().await {
                let _ = asking.send((outgoing.request, outgoing.reply));
            }
        });
        (Link { role, queue }, asked)
    }

    /// Sends a request and waits for its reply, at most `ttl`.
    pub(crate) async fn call(&self, request: PeerRequest, ttl: Duration) -> Result<PeerReply, LinkError> {
        let (reply, answer) = oneshot::channel();
        let stopped = || LinkError::Lost { role: self.role, why: "this node is stopping".to_owned() };
        let outgoing = Outgoing { request, deadline: Instant::now() + ttl, reply };
        self.queue.send(outgoing).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

struct LinkTask {
    route: Route,
    lane: Lane,
    requests: mpsc::Receiver<Outgoing>,
    last_failure: Option<(Instant, String)>,
    said: Said,
}

/// Reasons that were logged, and when: a dial that fails is repeated many times a second, and a name that does not resolve
/// has two reasons in turn.
#[derive(Default)]
struct Said(Vec<(String, Instant)>);

impl Said {
    /// Whether this is to be logged: it was not, for a while.
    fn is_new(&mut self, why: &str) -> bool {
        self.0.retain(|(_, at)| at.elapsed() < REPEAT);
        let is_new = self.0.len() < REASONS && self.0.iter().all(|(said, _)| said != why);
        if is_new {
            self.0.push((why.to_owned(), Instant::now()));
        }
        is_new
    }
}

/// A connection, and the triad that this server named when it said hello.
struct Greeted {
    connection: Proven<Box<dyn Stream>>,
    bound_to: Option<TriadId>,
    _open: ToPeer,
}

struct Waiting {
    deadline: Instant,
    reply: ReplySender,
}

impl LinkTask {
    async fn run(mut self) {
        let mut unsent = None;
        while let Some(first) = next(&mut unsent, &mut self.requests).await {
            match self.connect(first.deadline).await {
                Ok(greeted) => unsent = self.talk(greeted, first).await,
                Err(why) => {
                    self.refuse(first, &why);
                    while let Ok(waiting) = self.requests.try_recv() {
                        self.refuse(waiting, &why);
                    }
                }
            }
        }
    }

    fn refuse(&self, outgoing: Outgoing, why: &str) {
        let error = LinkError::Unreachable {
            role: self.route.target,
            address: self.route.address.host_and_port(),
            why: why.to_owned(),
        };
        // Whoever asked may have given up.
        let _ = outgoing.reply.send(Err(error));
    }

    async fn connect(&mut self, deadline: Instant) -> Result<Greeted, String> {
        if let Some((at, why)) = &self.last_failure
            && at.elapsed() < REDIAL_PAUSE
        {
            return Err(why.clone());
        }
        let limit = deadline.min(Instant::now() + HELLO_TIMEOUT);
        let dialed = match timeout_at(limit, self.dial()).await {
            Ok(dialed) => dialed.map_err(|error| error.to_string()),
            Err(_) => Err("it does not answer".to_owned()),
        };
        let why = dialed.as_ref().err().cloned();
        let mut trouble = self.route.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &why {
            if self.said.is_new(why) {
                tracing::warn!(peer = %self.route.target, address = self.route.address.host_and_port(), "cannot connect: {why}");
            }
            self.last_failure = Some((Instant::now(), why.clone()));
        } else {
            self.said = Said::default();
        }
        *trouble = why;
        dialed
    }

    async fn dial(&self) -> Result<Greeted, HelloError> {
        let route = &self.route;
        let nonce = route.environment.randomness.bytes().map_err(crate::peer::frame::FrameError::Io)?;
        let dialing = route.environment.dialer.dial(&route.address);
        let Dialed { stream, resets_from } = dialing.await.map_err(crate::peer::frame::FrameError::Io)?;
        let bound_to = self.bound_to();
        let introduced =
            route.introduction.dial(stream, route.target, bound_to, self.lane, nonce, resets_from);
        let connection = introduced.await?;
        Ok(Greeted { connection, bound_to, _open: route.lives.reached(route.target) })
    }

    /// The triad that this server cannot leave, at this moment.
    fn bound_to(&self) -> Option<TriadId> {
        self.route.standing.read().bound_to(!self.route.log.is_unwritten())
    }

    /// Uses the connection until it breaks, then tells everybody who still waits. What is given back has to be sent on another.
    ///
    /// On a connection of before this server belonged to its triad the far end takes nothing that only members ask of each
    /// other: it closes it, and the first request for a vote of a server that has just come back would be lost.
    async fn talk(&mut self, greeted: Greeted, first: Outgoing) -> Option<Outgoing> {
        let Greeted { connection: Proven { mut reader, mut writer, .. }, bound_to, _open } = greeted;
        let mut waiting: BTreeMap<u64, Waiting> = BTreeMap::new();
        let mut next_id = 0;
        let mut outgoing = Some(first);
        let why = loop {
            if outgoing.is_some() && self.bound_to() != bound_to {
                break "this server said hello before it belonged to its triad".to_owned();
            }
            if let Some(request) = outgoing.take() {
                let mut failed = None;
                for request in
                    std::iter::once(request).chain(std::iter::from_fn(|| self.requests.try_recv().ok()))
                {
                    next_id += 1;
                    let bytes = codec::to_bytes(&Envelope { id: next_id, body: request.request });
                    waiting.insert(next_id, Waiting { deadline: request.deadline, reply: request.reply });
                    if let Err(error) = writer.feed(Bytes::from(bytes)).await {
                        failed = Some(error.to_string());
                        break;
                    }
                }
                if let Some(error) = failed {
                    break error;
                }
                if let Err(error) = writer.flush().await {
                    break error.to_string();
                }
            }
            let earliest = waiting.values().map(|waiting| waiting.deadline).min();
            tokio::select! {
                biased;
                reply = reader.message::<Envelope<PeerReply>>("reply of a peer") => match reply {
                    Ok(Envelope { id, body }) => {
                        if let Some(waiting) = waiting.remove(&id) {
                            let _ = waiting.reply.send(Ok(body));
                        }
                    }
                    Err(error) => break error.to_string(),
                },
                request = self.requests.recv() => match request {
                    Some(request) => outgoing = Some(request),
                    None => break "this node is stopping".to_owned(),
                },
                () = sleep_until(earliest) => break "the reply is late".to_owned(),
            }
        };
        tracing::debug!(peer = %self.route.target, lane = ?self.lane, "connection ended: {why}");
        for (_, lost) in waiting {
            let _ = lost.reply.send(Err(LinkError::Lost { role: self.route.target, why: why.clone() }));
        }
        outgoing
    }
}

/// What was not sent on the last connection, or else what is asked next.
async fn next(unsent: &mut Option<Outgoing>, requests: &mut mpsc::Receiver<Outgoing>) -> Option<Outgoing> {
    match unsent.take() {
        Some(unsent) => Some(unsent),
        None => requests.recv().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => crate::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reasons_in_turn_are_said_once_a_minute_each() {
        let mut said = Said::default();
        let mut count = |why: &str| usize::from(said.is_new(why));
        let mut told = 0;
        for _ in 0..1000 {
            told += count("no such name") + count("it does not answer");
        }
        assert_eq!(told, 2);
        tokio::time::advance(REPEAT).await;
        assert_eq!(count("no such name"), 1);
    }
}
