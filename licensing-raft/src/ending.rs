//! How connections between servers end, and what that says of the process at the other end.
//!
//! A process that lives ends the connections it dialed by a reset ([`Resetting`]); of one that was killed the system closes
//! them, and says so in good order. So an orderly end, of a connection whose dialer promised this, is the death of a process
//! ([`Observed`]). The other way round nothing follows: a firewall can forge a reset, and the system sends one too when what it
//! closes was not read to its end. It cannot end in good order what belongs to others.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection that is reset when it is dropped. It is never shut down in good order.
///
/// The option must not be set before: the system would keep to it when the process is killed.
pub(crate) struct Resetting(Option<TcpStream>);

impl Resetting {
    pub(crate) fn new(stream: TcpStream) -> Resetting {
        Resetting(Some(stream))
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.0.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Resetting {
    fn drop(&mut self) {
        if let Some(stream) = self.0.take()
            && stream.set_zero_linger().is_err()
        {
            // Closed now, it would end as if this process were dead. A lost descriptor harms nobody.
            mem::forget(stream);
        }
    }
}

impl AsyncRead for Resetting {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Resetting {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().stream()?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Half of an orderly end would look like a whole one.
        self.poll_flush(context)
    }
}

/// How a connection has ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending(Arc<AtomicU8>);

const OPEN: u8 = 0;
const ORDERLY: u8 = 1;
const BROKEN: u8 = 2;

impl Ending {
    /// The first word counts: a socket reports a reset once, to whoever reads or writes first, and then says that there is
    /// nothing more to read.
    fn note(&self, end: u8) {
        let _ = self.0.compare_exchange(OPEN, end, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Whether the far end has closed it in good order.
    pub(crate) fn is_orderly(&self) -> bool {
        self.0.load(Ordering::SeqCst) == ORDERLY
    }
}

/// A connection, and how it ends.
pub(crate) struct Observed<S> {
    stream: S,
    ending: Ending,
}

impl<S> Observed<S> {
    pub(crate) fn new(stream: S) -> (Observed<S>, Ending) {
        let ending = Ending::default();
        (Observed { stream, ending: ending.clone() }, ending)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        match &polled {
            Poll::Ready(Ok(())) if has_room && buffer.filled().len() == before => self.ending.note(ORDERLY),
            Poll::Ready(Err(_)) => self.ending.note(BROKEN),
            _ => {}
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if matches!(polled, Poll::Ready(Err(_))) {
            self.ending.note(BROKEN);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(polled, Poll::Ready(Err(_))) {
            self.ending.note(BROKEN);
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Whether a connection comes straight from where its dialer says it dialed: what forwards connections (a tunnel, a load
/// balancer) ends those of its own in good order whenever it likes.
pub(crate) fn is_straight(told: Option<SocketAddr>, seen: Option<SocketAddr>) -> bool {
    let plain = |address: SocketAddr| (address.ip().to_canonical(), address.port());
    matches!((told, seen), (Some(told), Some(seen)) if plain(told) == plain(seen))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Both ends of a connection, the second one observed.
    async fn connected() -> (TcpStream, Observed<TcpStream>, Ending) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, ending) = Observed::new(listener.accept().await.unwrap().0);
        (near, far, ending)
    }

    #[tokio::test]
    async fn what_the_system_closes_ends_in_good_order() {
        let (near, mut far, ending) = connected().await;
        assert!(!ending.is_orderly());
        // As the system does for a process that is gone.
        drop(near);
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(ending.is_orderly());
        // What is written into it afterwards does not change how it ended.
        let _ = far.write_all(b"more").await;
        assert!(ending.is_orderly());
    }

    #[tokio::test]
    async fn what_a_living_process_drops_is_reset() {
        let (near, mut far, ending) = connected().await;
        let mut near = Resetting::new(near);
        near.write_all(b"a word").await.unwrap();
        near.shutdown().await.unwrap();
        let mut word = [0; 6];
        far.read_exact(&mut word).await.unwrap();
        drop(near);
        assert!(far.read(&mut word).await.is_err());
        assert!(!ending.is_orderly());
        // Whoever asks again is told that there is nothing more: that is no orderly end.
        assert_eq!(far.read(&mut word).await.unwrap(), 0);
        assert!(!ending.is_orderly());
    }

    /// A write takes the error with it, and what is read next looks like an end.
    #[tokio::test]
    async fn a_reset_that_a_write_has_met_is_no_orderly_end() {
        let (near, mut far, ending) = connected().await;
        drop(Resetting::new(near));
        while far.write_all(b"word").await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(far.read(&mut [0; 8]).await.ok().unwrap_or_default(), 0);
        assert!(!ending.is_orderly());
    }

    #[test]
    fn a_forwarded_connection_is_told_by_its_address() {
        let address = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
        assert!(is_straight(address("10.0.0.1:4711"), address("10.0.0.1:4711")));
        assert!(is_straight(address("10.0.0.1:4711"), address("[::ffff:10.0.0.1]:4711")));
        assert!(!is_straight(address("10.0.0.1:4711"), address("10.0.0.1:4712")));
        assert!(!is_straight(address("10.0.0.1:4711"), address("127.0.0.1:4711")));
        assert!(!is_straight(None, address("10.0.0.1:4711")));
        assert!(!is_straight(address("10.0.0.1:4711"), None));
    }
}
