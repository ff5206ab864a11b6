//! A connection after the welcome.
//!
//! One task owns it. It reads requests, lets up to [`MAX_UNANSWERED`] of them be answered at the same time and in any
//! order, and writes what is ready with one write.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use licensing_client::framing::{FrameError, FrameReader, FrameWriter};
use licensing_client::protocol::{ClientMessage, MAX_UNANSWERED, Reply, Request, ServerMessage, Whereabouts};
use licensing_raft::time::{Instant, sleep_until, timeout};
use licensing_raft::watch::Watcher;
use tracing::{debug, warn};

use super::requests::{self, Answering};
use crate::port::door::IDLE_LIMIT;
use crate::port::far::Far;
use crate::port::wire::Wire;
use crate::rights::Rights;
use crate::server::{Server, Stop};

/// How long a client may take to read what it was sent. Nothing is read from it meanwhile, so it cannot pile up more.
pub(super) const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Answers are written when this many bytes are ready, even if more are: with one more frame on top it bounds what a
/// connection holds in memory.
const WRITE_AT: usize = 256 << 10;

/// A connection after the welcome.
pub(super) struct Connection<S: Wire> {
    server: Arc<Server>,
    from: Far,
    rights: Rights,
    /// Where the client is, if that is known.
    origin: Option<IpAddr>,
    reader: FrameReader<S::Reading>,
    writer: FrameWriter<S::Writing>,
    under_way: FuturesUnordered<UnderWay>,
    whereabouts: Watcher<Whereabouts>,
    /// What the client was told last.
    told: Whereabouts,
    /// Set when the server was asked to stop; acted on when the answer is written.
    stop: Option<Stop>,
}

impl<S: Wire> Connection<S> {
    pub(super) fn new(
        server: Arc<Server>,
        stream: S,
        from: Far,
        rights: Rights,
        origin: Option<IpAddr>,
        whereabouts: Watcher<Whereabouts>,
        told: Whereabouts,
    ) -> Connection<S> {
        let (read, write) = stream.divide();
        Connection {
            server,
            from,
            rights,
            origin,
            reader: FrameReader::new(read),
            writer: FrameWriter::new(write),
            under_way: FuturesUnordered::new(),
            whereabouts,
            told,
            stop: None,
        }
    }

    pub(super) async fn run(mut self) {
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
                Ok(()) = self.whereabouts.changed() => self.tell_standing(),
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
        match requests::begin(&self.server, &mut self.rights, self.from, self.origin, request) {
            Answering::Now(reply) => self.answer(id, reply),
            Answering::Later(reply) => self.under_way.push(UnderWay { id, reply }),
            Answering::Stopping(reply, stop) => {
                self.stop = Some(stop);
                self.answer(id, reply);
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
        self.whereabouts.borrow_and_update();
        let now = self.server.whereabouts();
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

/// A request that waits for its answer.
struct UnderWay {
    id: u64,
    reply: BoxFuture<'static, Reply>,
}

impl Future for UnderWay {
    type Output = (u64, Reply);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<(u64, Reply)> {
        let id = self.id;
        self.reply.poll_unpin(context).map(|reply| (id, reply))
    }
}
