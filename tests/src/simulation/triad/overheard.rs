//! A client's connection that somebody listens to, to know what was asked and what was answered.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use licensing_client::framing::decode_frame;
use licensing_client::protocol::{ClientMessage, PREAMBLE, Reply, Request, ServerMessage};
use licensing_core::id::SessionId;
use licensing_core::outcome::{Answer, Outcome};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::simulation::random::Stream;

/// Exchanges kept: some minutes of work, so that most of them are old.
const KEPT: usize = 512;

/// A request and the first answer its client got.
pub(super) type Exchange = (Request, Answer);

/// What was overheard. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Sniffed(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    exchanges: VecDeque<Exchange>,
    /// Which answers told that a session is over.
    closed: BTreeMap<SessionId, Answer>,
}

impl Sniffed {
    /// The stream as it is, but overheard.
    pub(super) fn listen_in(self, stream: DuplexStream) -> Overheard {
        Overheard {
            stream,
            sniffed: self,
            asked: BTreeMap::new(),
            // The hello is one frame behind the preamble, the welcome one frame.
            outgoing: Frames::new(PREAMBLE.len()),
            incoming: Frames::new(0),
        }
    }

    /// The newest, which a server that was left behind cannot know.
    pub(super) fn newest(&self) -> Option<Exchange> {
        self.lock().exchanges.back().cloned()
    }

    /// The answer that told that this session is over.
    pub(super) fn closed(&self, session: SessionId) -> Option<Answer> {
        self.lock().closed.get(&session).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, request: Request, answer: Answer) {
        let mut heard = self.lock();
        if let Request::CloseSession { session, .. } = request {
            if matches!(answer.outcome, Outcome::SessionClosed { .. }) {
                heard.closed.insert(session, answer);
            }
            return;
        }
        let exchanges = &mut heard.exchanges;
        if exchanges.len() == KEPT {
            exchanges.pop_front();
        }
        exchanges.push_back((request, answer));
    }

    pub(super) fn any(&self, random: &Stream) -> Option<Exchange> {
        let exchanges = &self.lock().exchanges;
        let place = (!exchanges.is_empty()).then(|| random.below(exchanges.len() as u64))?;
        exchanges.get(place as usize).cloned()
    }
}

/// A client's connection that somebody listens to.
pub(super) struct Overheard {
    stream: DuplexStream,
    sniffed: Sniffed,
    /// Requests on their way, by their id on this connection.
    asked: BTreeMap<u64, Request>,
    outgoing: Frames,
    incoming: Frames,
}

impl Overheard {
    fn sent(&mut self, bytes: &[u8]) {
        for payload in self.outgoing.add(bytes) {
            if let Ok(ClientMessage {
                id,
                request: request @ (Request::Call { .. } | Request::CloseSession { .. }),
            }) = decode_frame(&payload, "request")
            {
                self.asked.insert(id, request);
            }
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        for payload in self.incoming.add(bytes) {
            if let Ok(ServerMessage::Reply { id, reply }) = decode_frame(&payload, "server message")
                && let Some(request) = self.asked.remove(&id)
                && let Reply::Answer(answer) = reply
            {
                self.sniffed.note(request, answer);
            }
        }
    }
}

/// Takes frames out of bytes as they come.
struct Frames {
    /// Bytes before the first frame.
    skip: usize,
    /// Whether the introduction, which is one frame, is still to come.
    introduction: bool,
    bytes: Vec<u8>,
}

impl Frames {
    fn new(skip: usize) -> Frames {
        Frames { skip, introduction: true, bytes: Vec::new() }
    }

    fn add(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.bytes.extend_from_slice(&bytes[skipped..]);
        let mut frames = Vec::new();
        while let Some(length) =
            self.bytes.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize)
            && self.bytes.len() >= 4 + length
        {
            let frame: Vec<u8> = self.bytes.drain(..4 + length).skip(4).collect();
            if !std::mem::take(&mut self.introduction) {
                frames.push(frame);
            }
        }
        frames
    }
}

impl AsyncRead for Overheard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let bytes = buffer.filled()[before..].to_vec();
        self.received(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.sent(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
