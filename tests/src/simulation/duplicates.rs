//! Late duplicates: requests that were answered are sent again, long after, to whoever is master by then. The network
//! between real clients and servers does this when connections break and clients resend; here it is done on purpose,
//! after failovers and snapshots too.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use licensing_client::framing::decode_frame;
use licensing_client::protocol::{ClientMessage, PREAMBLE, Recollection, Reply, Request, ServerMessage};
use licensing_client::{Direct, ServerAddress};
use licensing_core::id::Role;
use licensing_core::outcome::{Answer, Denial, Outcome};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::sleep;

use super::dialing::Dialing;
use super::host::FIRST_PORT;
use super::network::End;
use super::random::Stream;
use super::service::{Service, Site};
use super::triad::{Triad, seen};

/// Exchanges kept: some minutes of work, so that most of them are old.
const KEPT: usize = 512;

/// The number among the clients of whoever sends duplicates.
const NUMBER: u32 = 999_998;

/// A request and the first answer its client got.
type Exchange = (Request, Answer);

/// What was overheard. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Sniffed(Arc<Mutex<VecDeque<Exchange>>>);

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

    fn lock(&self) -> MutexGuard<'_, VecDeque<Exchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, request: Request, answer: Answer) {
        let mut exchanges = self.lock();
        if exchanges.len() == KEPT {
            exchanges.pop_front();
        }
        exchanges.push_back((request, answer));
    }

    fn any(&self, random: &Stream) -> Option<Exchange> {
        let exchanges = self.lock();
        let place = (!exchanges.is_empty()).then(|| random.below(exchanges.len() as u64))?;
        exchanges.get(place as usize).cloned()
    }
}

/// Sends duplicates for as long as there is trouble.
pub(super) async fn send(site: &Arc<Site<Triad>>) {
    let random = site.random("duplicates");
    let dial = Dialing::new(site.network.clone(), End::Client(NUMBER), Sniffed::default());
    loop {
        sleep(random.between_us(50_000, 1_000_000)).await;
        // Mostly the master; sometimes whoever was it, and may not know better.
        let master = site.service.master(&site.servers()).filter(|_| random.chance(70));
        let master = master.unwrap_or(Role::ALL[random.below(2) as usize]);
        let Some((request, first)) = site.service.duplicates.any(&random) else { continue };
        let address = ServerAddress::new("memory", FIRST_PORT + master.number() as u16);
        let Ok(mut direct) = Direct::connect(&address, &dial).await else { continue };
        if random.chance(40) {
            recall(site, &random, &mut direct).await;
            continue;
        }
        let Ok(Reply::Answer(again)) = direct.request(request.clone()).await else { continue };
        match &again.outcome {
            _ if again == first => site.count(seen::REPEATED),
            Outcome::Denied(Denial::ForgottenRequest { .. } | Denial::UnknownSession { .. }) => {
                site.count(seen::FORGOTTEN);
            }
            _ => site.fail(
                "a repeated request gets its first answer, or none",
                format!("{request:?}: first {first:?}, then {again:?}"),
            ),
        }
    }
}

/// Asks what became of a request that was answered before the question was put: whoever answers knows.
async fn recall(site: &Site<Triad>, random: &Stream, direct: &mut Direct) {
    // The newest, which a server that was left behind cannot know, or any.
    let newest = site.service.duplicates.lock().back().cloned();
    let exchange = if random.chance(70) { newest } else { site.service.duplicates.any(random) };
    let Some((Request::Call { session, token, request, .. }, first)) = exchange else { return };
    let Ok(Reply::Recalled(recalled)) = direct.request(Request::Recall { session, token, request }).await
    else {
        return;
    };
    match recalled {
        Recollection::Answered(answer) if answer == first => site.count(seen::RECALLED),
        Recollection::Forgotten | Recollection::NoSession => {}
        other => site.fail(
            "whoever serves knows what was answered before it was asked",
            format!("{request} of session {session}: {first:?}, recalled as {other:?}"),
        ),
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
            if let Ok(ClientMessage { id, request: request @ Request::Call { .. } }) =
                decode_frame(&payload, "request")
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
