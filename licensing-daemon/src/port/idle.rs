//! Notices when nothing goes over a connection any more.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use licensing_raft::environment::Stream;
use licensing_raft::time::{Instant, sleep_until};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that notes when something went over it.
pub(super) struct Idle {
    stream: Box<dyn Stream>,
    heard: Heard,
}

/// When something went over a connection for the last time.
#[derive(Clone)]
pub(super) struct Heard(Arc<Mutex<Instant>>);

impl Idle {
    /// The connection, and who knows about it.
    pub(super) fn watch(stream: Box<dyn Stream>) -> (Idle, Heard) {
        let heard = Heard(Arc::new(Mutex::new(Instant::now())));
        (Idle { stream, heard: heard.clone() }, heard)
    }
}

impl Heard {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once nothing has gone over the connection for so long.
    pub(super) async fn silent_for(&self, limit: Duration) {
        loop {
            let end = self.last() + limit;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

impl AsyncRead for Idle {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.heard.note();
        }
        read
    }
}

impl AsyncWrite for Idle {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.heard.note();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(300);

    #[tokio::test(start_paused = true)]
    async fn what_goes_over_it_either_way_begins_the_time_anew() {
        let (near, mut far) = duplex(100);
        let (mut near, heard) = Idle::watch(Box::new(near));
        let begun = Instant::now();
        let talk = async {
            licensing_raft::time::sleep(LIMIT / 2).await;
            far.write_all(b"x").await.unwrap();
            near.read_u8().await.unwrap();
            licensing_raft::time::sleep(LIMIT / 2).await;
            near.write_all(b"y").await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = talk => {}
            () = heard.silent_for(LIMIT) => {}
        }
        assert_eq!(begun.elapsed().as_secs(), LIMIT.as_secs() * 2);
    }
}
