//! A connection of a peer, from its first byte to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpListener;

use crate::PEER_PREAMBLE;
use crate::ending::{self, Observed};
use crate::mastership::lives::Life;
use crate::peer::answers;
use crate::peer::frame::FrameError;
use crate::peer::hello::{HELLO_TIMEOUT, HelloError};
use crate::shared::Shared;
use crate::time::{sleep, timeout};

/// Pause after an accept that failed (no file descriptors, usually): trying at once would only burn a processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What has been read of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// Nothing.
    Nothing,
    /// The preamble, which was that of a peer.
    Preamble,
}

/// Serves whoever connects, each in a task of its own, until the node ends.
pub(crate) async fn accept_all(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                accept(shared.clone(), move || Ok(stream), from.to_string(), Some(from), Read::Nothing);
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Hears who it is, and answers what it asks. Returns at once; `stream` is called where the connection is served. `seen` is the
/// address that it comes from, where that is known.
pub(crate) fn accept<S>(
    shared: Arc<Shared>,
    stream: impl FnOnce() -> io::Result<S> + Send + 'static,
    from: String,
    seen: Option<SocketAddr>,
    read: Read,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    if shared.stopped.load(Ordering::SeqCst) {
        return;
    }
    let number = shared.reception.begin();
    let connections = shared.connections.clone();
    connections.spawn(async move {
        let (stream, ending) = match stream() {
            Ok(stream) => Observed::new(stream),
            Err(error) => {
                return tracing::warn!("the connection of a peer at {from} cannot be used: {error}");
            }
        };
        let nonce = match shared.environment.randomness.bytes() {
            Ok(nonce) => nonce,
            Err(error) => return tracing::error!("no randomness for a peer's hello: {error}"),
        };
        let hello = timeout(HELLO_TIMEOUT, async {
            let mut stream = stream;
            if read == Read::Nothing {
                read_preamble(&mut stream).await?;
            }
            shared.introduction.accept(stream, shared.bound_to(), nonce).await
        });
        let met = tokio::select! {
            biased;
            met = hello => met,
            () = shared.reception.crowded_out(number) => {
                return shared.reception.refused(&from, "too many say hello at the same time");
            }
        };
        match met {
            Ok(Ok(proven)) => {
                let life = Life { role: proven.peer, boot: proven.boot };
                let ending = ending::is_straight(proven.resets_from, seen).then_some(ending);
                let connection = shared.lives.dialed_by(life, ending);
                let replaced = shared.reception.replace(proven.peer, proven.lane);
                tokio::select! {
                    biased;
                    _ = replaced => {}
                    () = answers::serve(shared.clone(), proven, connection) => {}
                }
            }
            // It has gone away by itself, as one that starts or stops does; whoever refused says why.
            Ok(Err(HelloError::Frame(error @ (FrameError::Closed | FrameError::Io(_))))) => {
                tracing::debug!(%from, "no hello of a peer: {error}");
            }
            Ok(Err(error)) => shared.reception.refused(&from, &error.to_string()),
            Err(_) => shared.reception.refused(&from, "it did not finish its hello"),
        }
    });
}

async fn read_preamble<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(), HelloError> {
    let mut preamble = [0; PEER_PREAMBLE.len()];
    stream.read_exact(&mut preamble).await.map_err(FrameError::Io)?;
    if preamble == PEER_PREAMBLE { Ok(()) } else { Err(HelloError::NoPeer(preamble)) }
}
