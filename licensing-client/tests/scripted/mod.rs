//! Servers that say what a test tells them to, over memory instead of TCP.

#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use licensing_client::framing::{FrameReader, FrameWriter, read_preamble};
use licensing_client::protocol::{
    ClientMessage, Hello, MasterAddress, Reply, Request, ServerMessage, ServerStatus, StatusPage, Welcome,
    Whereabouts,
};
use licensing_client::{Client, ClientConfig, Dial, SearchPath, ServerAddress, Stream, TokenSource};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{Handle, LogIndex, RequestId, Role, Seats, SessionId, Timestamp, Token};
use licensing_core::outcome::{Answer, Outcome};
use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// Bytes in flight on one connection.
const PIPE_BYTES: usize = 1 << 16;

/// Nothing in these tests takes longer, in paused time.
const PATIENCE: Duration = Duration::from_secs(600);

/// More than any test needs.
const MOST_DIALS: usize = 5_000;

pub const SESSION: SessionId = SessionId(7);
pub const TOKEN: Token = Token([5; 16]);
pub const HEARTBEAT_MS: u64 = 3000;

enum Place {
    Listening(mpsc::UnboundedSender<DuplexStream>),
    Unreachable,
}

/// The network: who listens where, and who was dialed when.
#[derive(Default)]
pub struct Stage {
    places: Mutex<HashMap<ServerAddress, Place>>,
    dials: Mutex<Vec<(Instant, String)>>,
}

impl Stage {
    pub fn new() -> Arc<Stage> {
        Arc::new(Stage::default())
    }

    /// Three servers, and the path that names them.
    pub fn triad(self: &Arc<Stage>) -> ([Server; 3], SearchPath) {
        (Role::ALL.map(|role| self.server(role)), "1@primary,2@secondary,3@tertiary".parse().unwrap())
    }

    /// Makes a server listen, again if need be.
    pub fn server(&self, role: Role) -> Server {
        let (sender, incoming) = mpsc::unbounded_channel();
        self.places.lock().unwrap().insert(address(role), Place::Listening(sender));
        Server { role, incoming }
    }

    /// Makes a server's host swallow everything, as a machine without power does.
    pub fn cut(&self, role: Role) {
        self.places.lock().unwrap().insert(address(role), Place::Unreachable);
    }

    /// How often a server was dialed.
    pub fn dials(&self, role: Role) -> usize {
        self.dials_to(&address(role))
    }

    /// How often an address was dialed.
    pub fn dials_to(&self, address: &ServerAddress) -> usize {
        let name = address.to_string();
        self.dials.lock().unwrap().iter().filter(|(_, dialed)| *dialed == name).count()
    }
}

pub fn address(role: Role) -> ServerAddress {
    ServerAddress::new(role.name(), role.number() as u16)
}

impl Dial for Stage {
    fn dial<'a>(&'a self, address: &'a ServerAddress) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            {
                let mut dials = self.dials.lock().unwrap();
                dials.push((Instant::now(), address.to_string()));
                // Paused time stands still while somebody is busy: without an end such a test would have none.
                assert!(dials.len() <= MOST_DIALS, "dialed in a hot loop");
            }
            let sender = match self.places.lock().unwrap().get(address) {
                Some(Place::Listening(sender)) => Some(sender.clone()),
                Some(Place::Unreachable) => None,
                None => return Err(io::ErrorKind::NotFound.into()),
            };
            let Some(sender) = sender else { return std::future::pending().await };
            let (near, far) = tokio::io::duplex(PIPE_BYTES);
            sender.send(far).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    }
}

pub struct FixedToken;

impl TokenSource for FixedToken {
    fn token(&self) -> io::Result<Token> {
        Ok(TOKEN)
    }
}

pub fn config(search_path: SearchPath) -> ClientConfig {
    let text = str::to_owned;
    let identity = Identity {
        user: text("ann"),
        host: text("desk"),
        display: text(":0"),
        pid: 1,
        project: String::new(),
    };
    {
        let mut config = ClientConfig::new(search_path);
        config.identity = identity;
        config.software = text("test");
        config
    }
}

/// Begins to connect; finish with `.await.unwrap().unwrap()`.
pub fn connecting(
    stage: &Arc<Stage>,
    config: ClientConfig,
) -> tokio::task::JoinHandle<Result<Client, licensing_client::ConnectError>> {
    let dial: Arc<dyn Dial> = stage.clone();
    tokio::spawn(async move { Client::connect_with(config, dial, &FixedToken).await })
}

/// A client whose session was opened on the primary, and its connection seen from there.
pub async fn connected(stage: &Arc<Stage>, primary: &mut Server, path: SearchPath) -> (Client, Peer) {
    connected_with(stage, primary, config(path)).await
}

pub async fn connected_with(
    stage: &Arc<Stage>,
    primary: &mut Server,
    config: ClientConfig,
) -> (Client, Peer) {
    let connecting = connecting(stage, config);
    let mut peer = primary.accept(Some(Role::Primary)).await;
    peer.open_session().await;
    (connecting.await.unwrap().unwrap(), peer)
}

pub struct Server {
    pub role: Role,
    incoming: mpsc::UnboundedReceiver<DuplexStream>,
}

impl Server {
    /// The next connection, after the words of welcome. `master`: who is master as far as this server knows.
    pub async fn accept(&mut self, master: Option<Role>) -> Peer {
        let stream = self.accept_silently().await;
        self.welcome(stream, master).await
    }

    /// The next connection, without a word.
    pub async fn accept_silently(&mut self) -> DuplexStream {
        soon(self.incoming.recv(), "a connection").await.expect("the stage is gone")
    }

    pub async fn welcome(&self, mut stream: DuplexStream, master: Option<Role>) -> Peer {
        soon(read_preamble(&mut stream), "a preamble").await.unwrap();
        let (reader, writer) = tokio::io::split(stream);
        let (mut reader, writer) = (FrameReader::new(reader), FrameWriter::new(writer));
        let hello = soon(reader.next("hello"), "a hello").await.unwrap().expect("closed before the hello");
        let mut peer = Peer { role: self.role, hello, reader, writer };
        let whereabouts = whereabouts(self.role, master);
        let (version, heartbeat_ms, grace_ms, challenge) = (1, HEARTBEAT_MS, 10_000, [9; 32]);
        peer.write(&Welcome::Ready {
            version,
            whereabouts,
            heartbeat_ms,
            grace_ms,
            challenge,
            more: Vec::new(),
        })
        .await;
        peer
    }

    /// Whether nobody has connected.
    pub fn is_left_alone(&mut self) -> bool {
        self.incoming.is_empty()
    }
}

pub fn whereabouts(role: Role, master: Option<Role>) -> Whereabouts {
    let named = |master: Role| {
        let ServerAddress { host, port } = address(master);
        MasterAddress { role: master, host, port }
    };
    Whereabouts { role, master: master.map(named) }
}

/// A client's connection, seen from a server.
pub struct Peer {
    pub role: Role,
    pub hello: Hello,
    reader: FrameReader<ReadHalf<DuplexStream>>,
    writer: FrameWriter<WriteHalf<DuplexStream>>,
}

/// A numbered request as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub id: u64,
    pub session: SessionId,
    pub token: Token,
    pub request: u64,
    pub acknowledged: u64,
    pub action: Action,
}

impl Peer {
    pub async fn write<T: serde::Serialize>(&mut self, message: &T) {
        self.writer.queue(message).unwrap();
        // The client may have hung up; the test will see what it does next.
        let _ = self.writer.flush().await;
    }

    /// The next message; `None` when the client hung up.
    pub async fn receive(&mut self) -> Option<ClientMessage> {
        soon(self.reader.next("client message"), "a message").await.unwrap_or(None)
    }

    pub async fn request(&mut self) -> (u64, Request) {
        let message = self.receive().await.expect("the client hung up");
        (message.id, message.request)
    }

    /// Waits until the client hangs up, passing over what it says.
    pub async fn hung_up(&mut self) {
        while self.receive().await.is_some() {}
    }

    /// The next numbered request, which must be the next message.
    pub async fn call(&mut self) -> Call {
        match self.request().await {
            (id, Request::Call { session, token, request: RequestId(request), acknowledged, action }) => {
                Call { id, session, token, request, acknowledged: acknowledged.0, action }
            }
            (_, other) => panic!("instead of a call came {other:?}"),
        }
    }

    pub async fn reply(&mut self, id: u64, reply: Reply) {
        self.write(&ServerMessage::Reply { id, reply }).await;
    }

    pub async fn answer(&mut self, id: u64, outcome: Outcome) {
        self.reply(id, Reply::Answer(Answer { index: LogIndex(100 + id), at: Timestamp(1), outcome })).await;
    }

    /// Grants a checkout under this handle.
    pub async fn grant(&mut self, call: &Call, handle: u64) {
        let Action::Checkout { seats, .. } = &call.action else { panic!("{:?} is no checkout", call.action) };
        let seats = *seats;
        self.answer(call.id, Outcome::Granted { handle: Handle(handle), seats }).await;
    }

    pub async fn moved(&mut self, master: Option<Role>) {
        self.write(&ServerMessage::Moved(whereabouts(self.role, master))).await;
    }

    /// The opening of a session, which must be the next message; grants it.
    pub async fn open_session(&mut self) {
        match self.request().await {
            (id, Request::OpenSession { token: TOKEN, .. }) => {
                self.answer(id, Outcome::SessionOpened { session: SESSION }).await;
            }
            (_, other) => panic!("instead of the opening of a session came {other:?}"),
        }
    }

    /// A heartbeat, which must be the next message; confirms the session.
    pub async fn heartbeat(&mut self) {
        let id = self.heartbeat_unanswered().await;
        self.reply(id, Reply::Alive { index: LogIndex(1), heartbeat_ms: 3000 }).await;
    }

    pub async fn heartbeat_unanswered(&mut self) -> u64 {
        match self.request().await {
            (id, Request::Heartbeat { session: SESSION, token: TOKEN }) => id,
            (_, other) => panic!("instead of a heartbeat came {other:?}"),
        }
    }

    /// Closing the session, which must be the next message; confirms it.
    pub async fn close_session(&mut self) {
        match self.request().await {
            (id, Request::CloseSession { session: SESSION, token: TOKEN }) => {
                self.answer(id, Outcome::SessionClosed { returned: Vec::new() }).await;
            }
            (_, other) => panic!("instead of the end of a session came {other:?}"),
        }
    }

    /// Writes bytes that need not be a frame.
    pub async fn write_raw(self, bytes: &[u8]) -> ReadHalf<DuplexStream> {
        let (reader, mut writer) = (self.reader.into_inner(), self.writer.into_inner());
        writer.write_all(bytes).await.unwrap();
        reader
    }
}

/// A status page with nothing on it but the three servers.
pub fn server_list() -> StatusPage {
    let server = |role| {
        let ServerAddress { host, port } = address(role);
        let (host_id, version) = (String::new(), String::new());
        let (applied_index, log_lag, remark) = (None, None, None);
        let (up, master, known_edition) = (true, role == Role::Primary, None);
        ServerStatus {
            role,
            host,
            port,
            host_id,
            up,
            master,
            version,
            known_edition,
            applied_index,
            log_lag,
            remark,
        }
    };
    StatusPage {
        answered_by: Role::Primary,
        master: Some(Role::Primary),
        quorum: true,
        preferred: None,
        at: Timestamp(1),
        applied_index: LogIndex(1),
        edition: licensing_core::Edition::FIRST,
        edition_held: false,
        vendors: Vec::new(),
        servers: Role::ALL.map(server).into(),
        features: Vec::new(),
        checkouts: Vec::new(),
        sessions: 1,
        more: None,
        warnings: Vec::new(),
    }
}

pub fn checkout(feature: &str, seats: u32) -> Action {
    Action::Checkout {
        vendor: None,
        feature: feature.to_owned(),
        version: "0.0".to_owned(),
        seats: Seats(seats),
    }
}

/// The future's value; a panic when it takes too long.
pub async fn soon<T>(future: impl Future<Output = T>, what: &str) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} was awaited in vain"))
}

/// Returns when everything has happened that can happen now: a paused clock goes on only while all tasks wait.
pub async fn settled() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Milliseconds since a moment.
pub fn millis_since(start: Instant) -> u64 {
    start.elapsed().as_millis() as u64
}
