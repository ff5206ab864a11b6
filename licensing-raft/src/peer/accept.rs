//! A connection of a peer, from its first byte behind the preamble to its end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::peer::answers;
use crate::peer::hello::HELLO_TIMEOUT;
use crate::shared::Shared;

/// Hears who it is, and answers what it asks. Returns at once; `stream` is called where the connection is served.
pub(crate) fn accept<S>(
    shared: Arc<Shared>,
    stream: impl FnOnce() -> io::Result<S> + Send + 'static,
    from: String,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    if shared.stopped.load(Ordering::SeqCst) {
        return;
    }
    let number = shared.reception.begin();
    let connections = shared.connections.clone();
    connections.spawn(async move {
        let stream = match stream() {
            Ok(stream) => stream,
            Err(error) => {
                return tracing::warn!("the connection of a peer at {from} cannot be used: {error}");
            }
        };
        let triad_id = shared.standing.read().triad_id();
        let nonce = match shared.environment.randomness.bytes() {
            Ok(nonce) => nonce,
            Err(error) => return tracing::error!("no randomness for a peer's hello: {error}"),
        };
        let hello = timeout(HELLO_TIMEOUT, shared.introduction.accept(stream, triad_id, nonce));
        let met = tokio::select! {
            biased;
            met = hello => met,
            () = shared.reception.crowded_out(number) => {
                return shared.reception.refused(&from, "too many say hello at the same time");
            }
        };
        match met {
            Ok(Ok(proven)) => {
                let replaced = shared.reception.replace(proven.peer, proven.lane);
                tokio::select! {
                    biased;
                    _ = replaced => {}
                    () = answers::serve(shared, proven) => {}
                }
            }
            Ok(Err(error)) => shared.reception.refused(&from, &error.to_string()),
            Err(_) => shared.reception.refused(&from, "it did not finish its hello"),
        }
    });
}
