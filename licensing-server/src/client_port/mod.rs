//! Client connections: hello, redirect or relay, then requests and answers until one side has enough.
//!
//! One task owns a connection. It reads requests, lets up to [`MAX_UNANSWERED`] of them be answered at the same time
//! and in any order, and writes what is ready with one write. No rule of seats lives here and nothing is retried:
//! the node decides, the client asks again.

mod relay;
mod requests;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use licensing_client::framing::{FrameError, FrameReader, FrameWriter, decode_frame, encode_frame};
use licensing_client::protocol::{
    ClientMessage, Hello, MAX_UNANSWERED, PROTOCOL_VERSION, Refusal, Reply, Request, ServerMessage, Standing,
    Welcome, is_local,
};
use licensing_core::command::Call;
use licensing_raft::watch::Watcher;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{debug, warn};

pub(crate) use requests::propose_error;

use crate::admin::Admin;
use crate::port::Place;
use crate::server::{Far, Server, Stop};
use crate::wire::Wire;

/// Longest hello, in bytes: a version, the name of a program, a flag.
const MAX_HELLO: usize = 4096;

/// A connection that says nothing for this long is closed. A client heartbeats every few seconds; this frees the
/// places of machines that vanished without a word.
const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// How long a client may take to read what it was sent. Nothing is read from it meanwhile, so it cannot pile up more.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Answers are written when this many bytes are ready, even if more are: with one more frame on top it bounds what a
/// connection holds in memory.
const WRITE_AT: usize = 256 << 10;

/// What a relayed connection adds to the name of its software: it comes from a server, perhaps from this machine, and
/// must not get the rights of a local administrator for that.
pub(crate) const RELAYED: &str = "; relayed by the ";

/// Serves a connection whose preamble has been read; the hello must come before the deadline.
pub(crate) async fn serve<S: Wire>(
    server: Arc<Server>,
    mut stream: S,
    from: Far,
    deadline: Instant,
    place: Place,
) {
    let hello = match timeout_at(deadline, read_hello(&mut stream)).await {
        Err(_) => return debug!(%from, "sent no hello in time, closed"),
        Ok(Err(problem)) => return debug!(%from, "{problem}, closed"),
        Ok(Ok(hello)) => hello,
    };
    drop(place);
    let permit = server.connections.clone().try_acquire_owned();
    let refusal = match (&hello, &permit) {
        (None, _) => Some(Refusal::Version { server: PROTOCOL_VERSION }),
        (Some(_), Err(_)) => {
            let limit = u32::try_from(server.limits.connections).unwrap_or(u32::MAX);
            Some(Refusal::TooManyConnections { limit })
        }
        _ => None,
    };
    if let Some(refusal) = refusal {
        debug!(%from, "refused: {refusal}");
        let _ = timeout_at(deadline, send(&mut stream, &Welcome::Refused(refusal))).await;
        return;
    }
    let Some(hello) = hello else { return };
    if hello.relay
        && let Some(upstream) = relay::to_master(&server, &hello).await
    {
        debug!(%from, software = hello.software, "relayed to the master");
        return relay::pipe(&server, stream, upstream).await;
    }
    debug!(%from, software = hello.software, "client connected");
    let mut challenge = [0; 32];
    if let Err(error) = getrandom::fill(&mut challenge) {
        return warn!("cannot read random bytes from the operating system: {error}");
    }
    let local = is_local(from.0) && !hello.software.contains(RELAYED);
    // Watched from before the welcome is made, so that no change falls between the two.
    let watching = server.watch_standing();
    let told = server.standing();
    let welcome = Welcome::Ready {
        version: PROTOCOL_VERSION,
        standing: told.clone(),
        heartbeat_ms: millis(server.node.session_heartbeat()),
        grace_ms: millis(server.node.session_grace()),
        challenge,
    };
    match timeout(WRITE_DEADLINE, send(&mut stream, &welcome)).await {
        Ok(Ok(())) => {}
        _ => return debug!(%from, "did not take the welcome, closed"),
    }
    let admin = Admin::new(local, challenge);
    Connection::new(server, stream, from, admin, watching, told).run().await;
    debug!(%from, "client gone");
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Reads the hello and not a byte more; `None` when it is of another protocol version.
async fn read_hello<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Option<Hello>, FrameError> {
    let length = stream.read_u32().await? as usize;
    if length > MAX_HELLO {
        return Err(FrameError::TooLong { limit: MAX_HELLO });
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    match decode_frame::<Hello>(&payload, "hello") {
        Ok(hello) if hello.version == PROTOCOL_VERSION => Ok(Some(hello)),
        Ok(_) => Ok(None),
        // The version stands first; a hello of another version may have other fields behind it.
        Err(_) if payload.first().is_some_and(|version| u16::from(*version) != PROTOCOL_VERSION) => Ok(None),
        Err(problem) => Err(problem),
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, welcome: &Welcome) -> io::Result<()> {
    let frame = encode_frame(welcome).map_err(io::Error::other)?;
    stream.write_all(&frame).await
}

/// A connection after the welcome.
struct Connection<S: Wire> {
    server: Arc<Server>,
    from: Far,
    admin: Admin,
    reader: FrameReader<S::Reading>,
    writer: FrameWriter<S::Writing>,
    under_way: FuturesUnordered<BoxFuture<'static, (u64, Reply)>>,
    standing: Watcher<Standing>,
    /// What the client was told last.
    told: Standing,
    /// Set by a [`Request::Shutdown`]; acted on when its answer is written.
    stop: Option<Stop>,
}

impl<S: Wire> Connection<S> {
    fn new(
        server: Arc<Server>,
        stream: S,
        from: Far,
        admin: Admin,
        standing: Watcher<Standing>,
        told: Standing,
    ) -> Connection<S> {
        let (read, write) = stream.divide();
        Connection {
            server,
            from,
            admin,
            reader: FrameReader::new(read),
            writer: FrameWriter::new(write),
            under_way: FuturesUnordered::new(),
            standing,
            told,
            stop: None,
        }
    }

    async fn run(mut self) {
        let mut closing = self.server.watch_closing();
        let mut idle_at = Instant::now() + IDLE_LIMIT;
        // What the welcome said may be old already.
        self.tell_standing();
        if self.write().await.is_err() {
            return;
        }
        loop {
            tokio::select! {
                biased;
                message = self.reader.next::<ClientMessage>("request"), if self.under_way.len() < MAX_UNANSWERED => {
                    idle_at = Instant::now() + IDLE_LIMIT;
                    if self.take(message).is_break() {
                        return;
                    }
                }
                Some((id, reply)) = self.under_way.next() => self.answer(id, reply),
                Ok(()) = self.standing.changed() => self.tell_standing(),
                _ = closing.wait_for(|closing| *closing) => return,
                () = sleep_until(idle_at) => return debug!(from = %self.from, "idle for {IDLE_LIMIT:?}, closed"),
            }
            if self.take_what_is_there().is_break() {
                return;
            }
            if let Err(problem) = self.write().await {
                return debug!(from = %self.from, "{problem}, closed");
            }
            if let Some(stop) = self.stop.take() {
                self.server.request_stop(stop);
            }
        }
    }

    /// Starts every request and queues every answer that needs no waiting, so that one write carries them all and
    /// the node sees them together.
    fn take_what_is_there(&mut self) -> ControlFlow<()> {
        while self.under_way.len() < MAX_UNANSWERED {
            let Some(message) = self.reader.next::<ClientMessage>("request").now_or_never() else { break };
            self.take(message)?;
        }
        while self.writer.queued_bytes() < WRITE_AT {
            let Some(Some((id, reply))) = self.under_way.next().now_or_never() else { break };
            self.answer(id, reply);
        }
        ControlFlow::Continue(())
    }

    fn take(&mut self, message: Result<Option<ClientMessage>, FrameError>) -> ControlFlow<()> {
        match message {
            Ok(Some(ClientMessage { id, request })) => self.start(id, request),
            Ok(None) => return ControlFlow::Break(()),
            Err(problem) => {
                debug!(from = %self.from, "{problem}, closed");
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn start(&mut self, id: u64, request: Request) {
        match request {
            Request::Authenticate { proof } => {
                let reply = self.admin.authenticate(&self.server, &proof, self.from);
                self.answer(id, reply);
            }
            Request::Shutdown { hand_over } => match self.admin.check(&self.server, "shutdown", self.from) {
                Err(refusal) => self.answer(id, refusal),
                Ok(()) => {
                    warn!(from = %self.from, "SHUTDOWN request");
                    self.stop = Some(Stop { hand_over });
                    self.answer(id, Reply::Done(format!("the {} stops", self.server.role)));
                }
            },
            Request::Heartbeat { session, token } if requests::is_known(&self.server, session, &token) => {
                let reply = requests::alive(&self.server, session);
                self.answer(id, reply);
            }
            // Nearly all of them, and in a future of its own: one that can wait for anything takes four kilobytes.
            Request::Call { session, token, request, acknowledged, action } => {
                let call = Call { session, token, request, acknowledged, action };
                if let Err(refusal) = requests::may_call(&self.server, &self.admin, self.from, &call.action) {
                    return self.answer(id, refusal);
                }
                let deciding = requests::decide(self.server.clone(), call);
                self.under_way.push(deciding.map(move |reply| (id, reply)).boxed());
            }
            request => {
                let answering = requests::answer(self.server.clone(), self.admin.clone(), self.from, request);
                self.under_way.push(answering.map(move |reply| (id, reply)).boxed());
            }
        }
    }

    fn answer(&mut self, id: u64, reply: Reply) {
        if let Err(problem) = self.writer.queue(&ServerMessage::Reply { id, reply }) {
            // Pages are cut to fit, so only an absurd configuration gets here; the client must not wait for ever.
            warn!(from = %self.from, "an answer was not sent: {problem}");
            let reply = Reply::Error(format!("the answer cannot be sent: {problem}"));
            let _ = self.writer.queue(&ServerMessage::Reply { id, reply });
        }
    }

    /// Tells the client when the master is another one than it was told last.
    fn tell_standing(&mut self) {
        self.standing.borrow_and_update();
        let now = self.server.standing();
        if now != self.told && self.writer.queue(&ServerMessage::Moved(now.clone())).is_ok() {
            self.told = now;
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        if self.writer.is_idle() {
            return Ok(());
        }
        match timeout(WRITE_DEADLINE, self.writer.flush()).await {
            Ok(written) => written,
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("did not read its answers for {WRITE_DEADLINE:?}"),
            )),
        }
    }
}
