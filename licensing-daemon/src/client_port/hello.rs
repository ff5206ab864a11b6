//! How a connection of a client begins: hello, then a refusal, a relay, or a welcome and what follows it.

use std::io;
use std::sync::Arc;

use licensing_client::framing::{FrameError, decode_frame, encode_frame};
use licensing_client::protocol::{
    Hello, MAX_HELLO_BYTES, PROTOCOL_VERSIONS, Refusal, Welcome, is_local, known_edition,
};
use licensing_core::spoken::common_version;
use licensing_raft::time::{Instant, timeout, timeout_at};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tracing::{debug, warn};

use super::connection::{Connection, WRITE_DEADLINE};
use super::relay;
use super::replies::millis;
use crate::port::far::Far;
use crate::port::undecided::Place;
use crate::port::wire::Wire;
use crate::rights::Rights;
use crate::server::Server;

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
    let permit = server.admit();
    let version = common_version((hello.from, hello.to), PROTOCOL_VERSIONS);
    let refusal = match (version, &permit) {
        (None, _) => Some(Refusal::Version { from: PROTOCOL_VERSIONS.0, to: PROTOCOL_VERSIONS.1 }),
        (Some(_), None) => {
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
    let Some(version) = version else { return };
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
    // A relayed connection comes from a server, perhaps from this machine: its client has no right from that.
    let local = is_local(from.0) && hello.relayed_by.is_none();
    // Watched from before the welcome is made, so that no change falls between the two.
    let watching = server.watch_whereabouts();
    let told = server.whereabouts();
    let welcome = Welcome::Ready {
        version,
        whereabouts: told.clone(),
        heartbeat_ms: millis(server.node.session_heartbeat()),
        grace_ms: millis(server.node.session_grace()),
        challenge,
        more: vec![known_edition(server.node.config().known_edition)],
    };
    match timeout(WRITE_DEADLINE, send(&mut stream, &welcome)).await {
        Ok(Ok(())) => {}
        _ => return debug!(%from, "did not take the welcome, closed"),
    }
    let rights = Rights::new(local, challenge);
    // A relayed connection comes from a server, not from where its client is.
    let origin = hello.relayed_by.is_none().then(|| from.0.ip().to_canonical());
    Connection::new(server, stream, from, rights, origin, watching, told).run().await;
    debug!(%from, "client gone");
}

/// Reads the hello and not a byte more. Its form is the same in every version of the protocol.
async fn read_hello<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Hello, FrameError> {
    let length = stream.read_u32().await? as usize;
    if length > MAX_HELLO_BYTES {
        return Err(FrameError::TooLong { limit: MAX_HELLO_BYTES });
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    decode_frame(&payload, "hello")
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, welcome: &Welcome) -> io::Result<()> {
    let frame = encode_frame(welcome).map_err(io::Error::other)?;
    stream.write_all(&frame).await
}
