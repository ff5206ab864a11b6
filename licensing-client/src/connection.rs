//! One connection to one server: from the first byte to messages both ways. Knows nothing of sessions and retries
//! nothing; whoever gets a [`ConnectionError`] drops the connection.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use licensing_core::edition::Edition;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::time::timeout;

use crate::dial::{DIAL_LIMIT, Dial, Stream};
use crate::error::{Awaited, ConnectionError};
use crate::framing::{FrameError, FrameReader, FrameWriter, write_preamble};
use crate::protocol::{ClientMessage, Hello, Refusal, ServerMessage, Welcome, Whereabouts, edition_of};
use crate::search_path::ServerAddress;

/// Longest wait for the welcome: a server answers the hello without asking anybody, so a second of silence means
/// that it is paused, overloaded or gone. A paused process still gets connections accepted by its kernel.
pub const WELCOME_LIMIT: Duration = Duration::from_secs(1);

/// Heartbeats are sent no more often than this, whatever a server asks for: an announced 0 would be a busy loop.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(50);

/// And no less often: an absurdly long interval must not keep a dead connection unnoticed for days.
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(600);

/// What a server asked for, within reason.
pub(crate) fn heartbeat_of(asked_ms: u64) -> Duration {
    Duration::from_millis(asked_ms).clamp(SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT)
}

/// What a server said in its welcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The version of the protocol that is spoken.
    pub version: u16,
    /// Whom the client is talking to, and who is master.
    pub whereabouts: Whereabouts,
    /// How often to send a heartbeat.
    pub heartbeat: Duration,
    /// How long a session survives without a sign of life.
    pub grace: Duration,
    /// Random bytes for proving the admin key on this connection.
    pub challenge: [u8; 32],
    /// The newest edition of the rules that the server knows.
    pub known_edition: Edition,
}

/// A connection whose server has said welcome.
pub struct Connection {
    server: ServerAddress,
    ready: Ready,
    reader: FrameReader<ReadHalf<Box<dyn Stream>>>,
    writer: FrameWriter<WriteHalf<Box<dyn Stream>>>,
}

impl Connection {
    /// Connects to a server and introduces the client, within [`DIAL_LIMIT`] and [`WELCOME_LIMIT`].
    ///
    /// Errors: no connection, no welcome in time, a refusal, or bytes that are not this protocol.
    pub async fn open(
        dial: &dyn Dial,
        server: &ServerAddress,
        hello: &Hello,
    ) -> Result<Connection, ConnectionError> {
        let dialing = async {
            dial.dial(server).await.map_err(|source| ConnectionError::Dial { server: server.clone(), source })
        };
        let stream = within(DIAL_LIMIT, server, Awaited::Connection, dialing).await?;
        within(WELCOME_LIMIT, server, Awaited::Welcome, Connection::introduce(stream, server, hello)).await
    }

    async fn introduce(
        mut stream: Box<dyn Stream>,
        server: &ServerAddress,
        hello: &Hello,
    ) -> Result<Connection, ConnectionError> {
        let failed = |source: FrameError| ConnectionError::Frame { server: server.clone(), source };
        write_preamble(&mut stream).await.map_err(|error| failed(error.into()))?;
        let (reader, writer) = tokio::io::split(stream);
        let (mut reader, mut writer) = (FrameReader::new(reader), FrameWriter::new(writer));
        writer.queue(hello).map_err(failed)?;
        writer.flush().await.map_err(|error| failed(error.into()))?;
        match reader.next("welcome").await.map_err(failed)? {
            None => Err(ConnectionError::Closed { server: server.clone() }),
            Some(Welcome::Refused(refusal)) => {
                Err(ConnectionError::Refused { server: server.clone(), refusal })
            }
            Some(Welcome::Ready { version, .. }) if !(hello.from..=hello.to).contains(&version) => {
                let refusal = Refusal::Version { from: version, to: version };
                Err(ConnectionError::Refused { server: server.clone(), refusal })
            }
            Some(Welcome::Ready { version, whereabouts, heartbeat_ms, grace_ms, challenge, more }) => {
                let heartbeat = heartbeat_of(heartbeat_ms);
                let grace = Duration::from_millis(grace_ms);
                let known_edition = edition_of(&more);
                let ready = Ready { version, whereabouts, heartbeat, grace, challenge, known_edition };
                Ok(Connection { server: server.clone(), ready, reader, writer })
            }
        }
    }

    /// The server at the other end.
    pub fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// What it said in its welcome.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Queues a message; [`Connection::next`] and [`Connection::flush`] write everything queued together.
    ///
    /// Errors: the message is too long for a frame; the connection is still good.
    pub fn queue(&mut self, message: &ClientMessage) -> Result<(), ConnectionError> {
        let result = self.writer.queue(message);
        result.map_err(|source| self.failed(source))
    }

    /// Writes everything queued.
    ///
    /// Errors: the connection failed.
    pub async fn flush(&mut self) -> Result<(), ConnectionError> {
        let result = self.writer.flush().await;
        result.map_err(|error| self.failed(error.into()))
    }

    /// The next message of the server; writes what is queued meanwhile. Nothing is lost when the future is dropped.
    ///
    /// Errors: the connection was closed, failed, or brought bytes that are not this protocol.
    pub async fn next(&mut self) -> Result<ServerMessage, ConnectionError> {
        loop {
            let idle = self.writer.is_idle();
            let step = tokio::select! {
                biased;
                message = self.reader.next("server message") => Step::Read(message),
                written = self.writer.flush(), if !idle => Step::Wrote(written),
            };
            match step {
                Step::Read(Ok(Some(message))) => return Ok(message),
                Step::Read(Ok(None)) => return Err(ConnectionError::Closed { server: self.server.clone() }),
                Step::Read(Err(error)) => return Err(self.failed(error)),
                Step::Wrote(Ok(())) => {}
                Step::Wrote(Err(error)) => return Err(self.failed(error.into())),
            }
        }
    }

    fn failed(&self, source: FrameError) -> ConnectionError {
        ConnectionError::Frame { server: self.server.clone(), source }
    }
}

enum Step {
    Read(Result<Option<ServerMessage>, FrameError>),
    Wrote(std::io::Result<()>),
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

async fn within<T>(
    limit: Duration,
    server: &ServerAddress,
    awaited: Awaited,
    future: impl Future<Output = Result<T, ConnectionError>>,
) -> Result<T, ConnectionError> {
    let waited_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let silent = || ConnectionError::Silent { server: server.clone(), awaited, waited_ms };
    timeout(limit, future).await.map_err(|_| silent())?
}
