//! Connections that are no TCP and end as TCP does: in good order, or by a reset.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// Whether a connection ends by a reset. Clones are of the same connection.
#[derive(Debug, Clone, Default)]
pub struct Reset(Arc<AtomicBool>);

impl Reset {
    /// What is read last is not the end but an error.
    pub fn arrives(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One end of a connection in memory.
#[derive(Debug)]
pub struct SimulatedStream {
    stream: DuplexStream,
    reset: Reset,
}

impl SimulatedStream {
    /// An end that reads the end of the other as an error, when [`Reset::arrives`] was called before.
    pub fn new(stream: DuplexStream) -> (SimulatedStream, Reset) {
        let reset = Reset::default();
        (SimulatedStream { stream, reset: reset.clone() }, reset)
    }

    /// The same end for somebody to whom all ends are one.
    pub fn plain(self) -> DuplexStream {
        self.stream
    }
}

impl From<DuplexStream> for SimulatedStream {
    fn from(stream: DuplexStream) -> SimulatedStream {
        SimulatedStream::new(stream).0
    }
}

impl AsyncRead for SimulatedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let is_end = matches!(polled, Poll::Ready(Ok(()))) && has_room && buffer.filled().len() == before;
        if is_end && self.reset.0.load(Ordering::SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        polled
    }
}

impl AsyncWrite for SimulatedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
