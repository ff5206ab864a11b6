//! The seams: everything a node takes from the world besides time that passes (which it takes from tokio, so that a
//! paused clock pauses it). A simulation replaces each of them; a daemon uses the real ones.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use licensing_core::id::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};

use licensing_core::address::ServerAddress;

/// A connection to a peer.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection being made.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

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
    fn dial(&self, address: &ServerAddress) -> Dialing;
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
            dialer: Arc::new(TcpDialer),
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

struct TcpDialer;

/// A peer on the same network answers in a fraction of this; longer waits only delay the next try.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

impl Dialer for TcpDialer {
    fn dial(&self, address: &ServerAddress) -> Dialing {
        let (host, port) = (address.host.clone(), address.port);
        Box::pin(async move {
            let connecting = tokio::net::TcpStream::connect((host.as_str(), port));
            let stream = crate::time::timeout(CONNECT_TIMEOUT, connecting).await??;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}
