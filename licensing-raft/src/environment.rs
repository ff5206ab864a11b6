//! The seams: everything a node takes from the world besides time that passes (which it takes from tokio, so that a
//! paused clock pauses it). A simulation replaces each of them; a daemon uses the real ones.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use licensing_core::id::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use licensing_core::address::ServerAddress;

use crate::ending::Resetting;

/// A connection to a peer.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that was made.
pub struct Dialed {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) resets_from: Option<SocketAddr>,
}

impl Dialed {
    /// A connection of which nothing is promised.
    pub fn new(stream: impl Stream + 'static) -> Dialed {
        Dialed { stream: Box::new(stream), resets_from: None }
    }

    /// A connection that comes from `own`, its local address, and that this process, as long as it lives, ends by a reset and never
    /// in good order. Whoever accepts it takes an orderly end for the death of this process, and need not wait for the lease then.
    pub fn resetting(stream: impl Stream + 'static, own: SocketAddr) -> Dialed {
        Dialed { stream: Box::new(stream), resets_from: Some(own) }
    }
}

/// A connection to a peer being made.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Dialed>> + Send>>;

/// A connection being made that ends as whoever uses it ends it.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// The wall clock of this host.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC, right or wrong: the triad takes the median of three.
    fn now(&self) -> Timestamp;
}

/// Random bytes for nonces and names that must not be guessed or repeat.
pub trait Randomness: Send + Sync {
    /// 32 bytes.
    fn bytes(&self) -> io::Result<[u8; 32]>;
}

/// The way to the other servers.
pub trait Dialer: Send + Sync {
    /// A connection to this address.
    ///
    /// Errors: "connection refused" only if nobody listens at any address that this name has; it is taken for a part of the
    /// evidence that the process there is dead.
    fn dial(&self, address: &ServerAddress) -> Dialing;

    /// A connection to this address for what is not said between nodes: a client's, which a standby passes on. It can be ended in
    /// good order, one way at a time.
    fn connect(&self, address: &ServerAddress) -> Connecting {
        let dialing = self.dial(address);
        Box::pin(async move { Ok(dialing.await?.stream) })
    }
}

/// What a node takes from the world.
#[derive(Clone)]
pub struct Environment {
    /// See [`Clock`].
    pub clock: Arc<dyn Clock>,
    /// See [`Randomness`].
    pub randomness: Arc<dyn Randomness>,
    /// See [`Dialer`].
    pub dialer: Arc<dyn Dialer>,
}

/// The real world.
impl Default for Environment {
    fn default() -> Self {
        Environment {
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            dialer: Arc::new(TcpDialer(|address: &ServerAddress| connect(address.clone()))),
        }
    }
}

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(since_epoch.as_millis() as u64)
    }
}

struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn bytes(&self) -> io::Result<[u8; 32]> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(bytes)
    }
}

/// Dials by TCP. What it is given finds the way from the name to a connection; its error is "refused" only as [`Dialer::dial`] says.
pub struct TcpDialer<F>(pub F);

/// A peer on the same network answers in a fraction of this; longer waits only delay the next try.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// A connection for small words, or an error before long.
async fn ready(connecting: impl Future<Output = io::Result<TcpStream>>) -> io::Result<TcpStream> {
    let stream = crate::time::timeout(CONNECT_TIMEOUT, connecting).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl<F, Way> Dialer for TcpDialer<F>
where
    F: Fn(&ServerAddress) -> Way + Send + Sync,
    Way: Future<Output = io::Result<TcpStream>> + Send + 'static,
{
    fn dial(&self, address: &ServerAddress) -> Dialing {
        let connecting = ready((self.0)(address));
        Box::pin(async move {
            let stream = connecting.await?;
            let own = stream.local_addr()?;
            Ok(Dialed::resetting(Resetting::new(stream), own))
        })
    }

    fn connect(&self, address: &ServerAddress) -> Connecting {
        let connecting = ready((self.0)(address));
        Box::pin(async move { Ok(Box::new(connecting.await?) as Box<dyn Stream>) })
    }
}

/// To the first address of this name that takes a connection. If none does, the error is "refused" only if all of them refused.
async fn connect(address: ServerAddress) -> io::Result<TcpStream> {
    let mut failed: Option<io::Error> = None;
    for address in tokio::net::lookup_host((address.host.as_str(), address.port)).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error)
                if failed.as_ref().is_none_or(|failed| failed.kind() == io::ErrorKind::ConnectionRefused) =>
            {
                failed = Some(error);
            }
            Err(_) => {}
        }
    }
    Err(failed.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
}
