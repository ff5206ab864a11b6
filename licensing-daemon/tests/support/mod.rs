//! Servers inside the test process, on ports the system chose, and raw connections to them.

#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::time::Duration;

use licensing_client::framing::{FrameReader, FrameWriter, write_preamble};
use licensing_client::protocol::{ClientMessage, Hello, Reply, Request, ServerMessage, Welcome, Whereabouts};
use licensing_core::id::Role;
use licensing_daemon::{Daemon, DaemonConfig, LicenseFile, RunError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Far above anything that works takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const FEATURES: &str =
    "FEATURE f1 demo 1.0 permanent 10 SIGN=0\nFEATURE f2 demo 2.5 31-dec-2099 3 SIGN=0\n";

/// A server inside this process.
pub(crate) struct TestServer {
    pub(crate) role: Role,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), RunError>>,
}

impl TestServer {
    pub(crate) async fn stop(mut self) -> Result<(), RunError> {
        drop(self.stop.take());
        self.ended().await
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(self) -> Result<(), RunError> {
        // Kept, so that the server is not stopped by us.
        let _stop = self.stop;
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the server does not end")
            .expect("it panicked")
    }
}

/// Three servers inside this process, or some of them.
pub(crate) struct TestTriad {
    pub(crate) directory: TempDir,
    pub(crate) servers: Vec<TestServer>,
}

impl TestTriad {
    /// All three, with a master.
    pub(crate) async fn start(features: &str, change: impl Fn(&mut DaemonConfig)) -> TestTriad {
        let triad = TestTriad::start_some(&Role::ALL, features, change).await;
        triad.wait_for_master().await;
        triad
    }

    /// Some of the three; the others' ports answer nobody.
    pub(crate) async fn start_some(
        roles: &[Role],
        features: &str,
        change: impl Fn(&mut DaemonConfig),
    ) -> TestTriad {
        let directory = tempfile::tempdir().unwrap();
        let mut listeners = Vec::new();
        for _ in Role::ALL {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let ports: Vec<u16> =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        let license = directory.path().join("a.lic");
        let lines: String = ports.iter().map(|port| format!("SERVER 127.0.0.1 ANY {port}\n")).collect();
        let lines = lines.replacen('\n', " PRIMARY_IS_MASTER\n", 1);
        std::fs::write(&license, format!("{lines}VENDOR demo\n{features}")).unwrap();
        let mut servers = Vec::new();
        for (role, listener) in Role::ALL.into_iter().zip(listeners) {
            if !roles.contains(&role) {
                continue;
            }
            let license = LicenseFile::read(&license).unwrap();
            let data = directory.path().join(role.name());
            let mut config = DaemonConfig::from_license(license, role, data).unwrap();
            change(&mut config);
            servers.push(start_server(role, config, listener).await);
        }
        TestTriad { directory, servers }
    }

    pub(crate) fn address(&self, role: Role) -> SocketAddr {
        self.servers.iter().find(|server| server.role == role).expect("it was not started").address
    }

    pub(crate) fn take(&mut self, role: Role) -> TestServer {
        let place = self.servers.iter().position(|server| server.role == role).expect("it was not started");
        self.servers.remove(place)
    }

    pub(crate) async fn wait_for_master(&self) -> Role {
        wait_until("a master", async || {
            for server in &self.servers {
                if text(server.address, "STATUS\r\n").await.contains("(MASTER)") {
                    return Some(server.role);
                }
            }
            None
        })
        .await
    }
}

/// One server, with what its configuration says.
pub(crate) async fn start_server(role: Role, config: DaemonConfig, listener: TcpListener) -> TestServer {
    let (ready, is_ready) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    let ready = move |address| ready.send(address).expect("nobody waits for the server");
    let task = tokio::spawn(async move { Daemon::start(config, listener).await?.run(ready, shutdown).await });
    match is_ready.await {
        Ok(address) => TestServer { role, address, stop: Some(stop), task },
        Err(_) => panic!("the {role} did not start: {:?}", task.await),
    }
}

/// Looks again and again until there is something.
pub(crate) async fn wait_until<T>(awaited: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(found) => found,
        Err(_) => panic!("{awaited} has not come within {PATIENCE:?}"),
    }
}

/// What a server answers to a line of text, until it closes the connection.
pub(crate) async fn text(address: SocketAddr, line: &str) -> String {
    String::from_utf8_lossy(&bytes(address, line.as_bytes()).await).into_owned()
}

/// What a server answers to these bytes, until it closes the connection.
pub(crate) async fn bytes(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await
}

/// Everything until the far end closes; a reset is an end, too.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    let _ = reading.await.expect("the server does not close the connection");
    answer
}

/// A connection that speaks the protocol by hand.
pub(crate) struct Raw {
    pub(crate) welcome: Welcome,
    reader: FrameReader<OwnedReadHalf>,
    writer: FrameWriter<OwnedWriteHalf>,
    next_id: u64,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Raw {
        Raw::connect_as(address, Hello::new("test")).await
    }

    pub(crate) async fn connect_as(address: SocketAddr, hello: Hello) -> Raw {
        let mut stream = TcpStream::connect(address).await.unwrap();
        write_preamble(&mut stream).await.unwrap();
        let (read, write) = stream.into_split();
        let (mut reader, mut writer) = (FrameReader::new(read), FrameWriter::new(write));
        writer.queue(&hello).unwrap();
        writer.flush().await.unwrap();
        let welcome = reader.next("welcome").await.unwrap().expect("closed without a welcome");
        Raw { welcome, reader, writer, next_id: 1 }
    }

    pub(crate) fn whereabouts(&self) -> &Whereabouts {
        match &self.welcome {
            Welcome::Ready { whereabouts, .. } => whereabouts,
            Welcome::Refused(refusal) => panic!("refused: {refusal}"),
        }
    }

    pub(crate) fn challenge(&self) -> [u8; 32] {
        match &self.welcome {
            Welcome::Ready { challenge, .. } => *challenge,
            Welcome::Refused(refusal) => panic!("refused: {refusal}"),
        }
    }

    /// Sends without waiting; gives the id.
    pub(crate) async fn send(&mut self, request: Request) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.writer.queue(&ClientMessage { id, request }).unwrap();
        self.writer.flush().await.unwrap();
        id
    }

    /// The next message; `None` when the server has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<ServerMessage> {
        let next = tokio::time::timeout(PATIENCE, self.reader.next("message"));
        next.await.expect("the server is silent").unwrap_or(None)
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask(&mut self, request: Request) -> Reply {
        let asked = self.send(request).await;
        loop {
            match self.next().await.expect("the server closed the connection") {
                ServerMessage::Reply { id, reply } if id == asked => return reply,
                _ => {}
            }
        }
    }
}

/// The words of a refusal.
pub(crate) fn refusal(reply: Reply) -> String {
    match reply {
        Reply::Error(words) => words,
        other => panic!("not refused: {other:?}"),
    }
}
