//! How a client reaches a server and where its secret comes from: the two things a simulation replaces.

use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use licensing_core::id::Token;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::names::Names;
use crate::search_path::ServerAddress;

/// Longest wait for a connection to be made: far above a round trip around the world, short enough that a dead host
/// early in the search path does not hold a start up for long.
pub const DIAL_LIMIT: Duration = Duration::from_secs(1);

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Makes connections.
pub trait Dial: Send + Sync {
    /// Connects to a server. The caller gives up after [`DIAL_LIMIT`].
    ///
    /// Errors: why there is no connection.
    fn dial<'a>(&'a self, address: &'a ServerAddress) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;
}

/// Connects by TCP, small messages sent at once. Hosts that were reached are reached while their names cannot be looked up:
/// [`Names::of_the_user`].
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpDial;

impl Dial for TcpDial {
    fn dial<'a>(&'a self, address: &'a ServerAddress) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(Box::new(connect(address).await?) as Box<dyn Stream>) })
    }
}

/// Connects by TCP and then does something with the connection, a TLS handshake for instance. What it is given is the
/// connection and the host's name as the search path has it; a handshake counts into [`DIAL_LIMIT`].
///
/// ```no_run
/// use std::sync::Arc;
///
/// use licensing_client::dial::{OsTokens, TcpThen};
/// use licensing_client::{Client, ClientConfig, ConnectError, SearchPath};
/// # use tokio::net::TcpStream;
/// # struct Connector;
/// # impl Connector { async fn connect(&self, _: String, tcp: TcpStream) -> std::io::Result<TcpStream> { Ok(tcp) } }
///
/// # async fn shown(path: SearchPath, connector: Arc<Connector>) -> Result<Client, ConnectError> {
/// // `connector` is a `tokio_rustls::TlsConnector`, in front of a proxy that ends TLS before the servers.
/// let dial = TcpThen(move |tcp, host| {
///     let connector = connector.clone();
///     async move { connector.connect(host, tcp).await }
/// });
/// Client::connect_with(ClientConfig::new(path), Arc::new(dial), &OsTokens).await
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TcpThen<F>(pub F);

impl<F, S, Then> Dial for TcpThen<F>
where
    F: Fn(TcpStream, String) -> Then + Send + Sync,
    Then: Future<Output = io::Result<S>> + Send,
    S: Stream + 'static,
{
    fn dial<'a>(&'a self, address: &'a ServerAddress) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let dialing = async { (self.0)(connect(address).await?, address.host.clone()).await };
            let stream = timeout(DIAL_LIMIT, dialing).await.map_err(|_| late())??;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

async fn connect(address: &ServerAddress) -> io::Result<TcpStream> {
    let connecting = Names::of_the_user().connect(address);
    let stream = timeout(DIAL_LIMIT, connecting).await.map_err(|_| late())??;
    // A checkout is one small message; waiting to fill a segment would cost more than the checkout.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn late() -> io::Error {
    let problem = format!("no connection within {} ms", DIAL_LIMIT.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, problem)
}

/// Makes the secret of a session.
pub trait TokenSource: Send + Sync {
    /// A token nobody can guess, different each time.
    ///
    /// Errors: the source of randomness failed.
    fn token(&self) -> io::Result<Token>;
}

/// Tokens from the operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsTokens;

impl TokenSource for OsTokens {
    fn token(&self) -> io::Result<Token> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Token(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ() {
        assert_ne!(OsTokens.token().unwrap(), OsTokens.token().unwrap());
    }

    #[tokio::test]
    async fn tcp_reaches_a_listener_and_reports_a_closed_port() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = ServerAddress::new("127.0.0.1", listener.local_addr().unwrap().port());
        assert!(TcpDial.dial(&address).await.is_ok());
        drop(listener);
        let error = TcpDial.dial(&address).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
