//! Accepts connections and hands each to whom its first bytes name.

use std::sync::Arc;
use std::time::Duration;

use licensing_raft::time::{Instant, timeout_at};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tracing::{debug, info, warn};

use super::far::Far;
use super::opening::{Opening, read_opening};
use super::status_line;
use super::undecided::{Place, Undecided};
use super::wire::Wire;
use crate::client_port;
use crate::server::Server;

/// How long a connection has for its first bytes and, as a client, its hello: generous for a transatlantic client,
/// short for one that says nothing on purpose.
const OPENING_DEADLINE: Duration = Duration::from_secs(2);

/// Pause after an accept that failed (no file descriptors, usually): trying at once would only burn a processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until its task is aborted; the connections' own tasks go on.
pub(crate) async fn accept(server: Arc<Server>, listener: TcpListener) {
    let undecided = Arc::new(Undecided::default());
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let server = server.clone();
                undecided
                    .clone()
                    .admit(server.limits.undecided, |place| open(server, stream, Far(from), place));
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                licensing_raft::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a connection that is not counted among the undecided.
#[cfg(feature = "testing")]
pub(crate) async fn serve<S: Wire>(server: Arc<Server>, stream: S, from: Far) {
    open(server, stream, from, Place::uncounted()).await;
}

async fn open<S: Wire>(server: Arc<Server>, mut stream: S, from: Far, place: Place) {
    stream.hurry();
    let deadline = Instant::now() + OPENING_DEADLINE;
    match timeout_at(deadline, read_opening(&mut stream, &server.doors)).await {
        Err(_) => debug!(%from, "said nothing for {OPENING_DEADLINE:?}, closed"),
        Ok(Err(problem)) => debug!(%from, "{problem}, closed"),
        Ok(Ok(Opening::Peer)) => {
            drop(place);
            stream.hand_to(&server.node, from);
        }
        Ok(Ok(Opening::Client)) => match server.elsewhere().cloned() {
            None => client_port::serve(server, stream, from, deadline, place).await,
            Some(threads) => place.move_to(&threads, |place| async move {
                match stream.moved_here() {
                    Ok(stream) => client_port::serve(server, stream, from, deadline, place).await,
                    Err(problem) => debug!(%from, "{problem}, closed"),
                }
            }),
        },
        Ok(Ok(Opening::Own(number))) => {
            let Some(door) = server.doors.get(number).cloned() else { return };
            let Some(permit) = server.admit() else { return };
            let (node, closing) = (server.node.clone(), server.watch_closing());
            // Never on the node's thread: what a program does there may block.
            let threads = server.other_threads.clone().unwrap_or_else(Handle::current);
            place.move_to(&threads, |place| async move {
                drop(place);
                match stream.moved_here() {
                    Ok(stream) => door.receive(Box::new(stream), from, node, closing).await,
                    Err(problem) => debug!(%from, "{problem}, closed"),
                }
                drop(permit);
            });
        }
        Ok(Ok(Opening::Tls)) => {
            info!(%from, "speaks TLS, which is not configured on this server, closed");
        }
        Ok(Ok(Opening::Line(line))) => {
            let quorum = server.node.mastership_now().quorum;
            let answer = status_line::answer(&line, &server.whereabouts(), quorum, &server.version);
            let answered = async {
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await
            };
            let _ = timeout_at(deadline, answered).await;
        }
    }
}
