//! A single server with one license, the node inside it, and what a request has left in its state.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use licensing_client::AdminKey;
use licensing_core::command::{Command, Identity, Proposal};
use licensing_core::edition::Edition;
use licensing_core::id::{Handle, RequestId, Role, SessionId, Token};
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use licensing_daemon::{
    Caller, ClientAction, Daemon, LicenseFile, Limits, Node, RunError, Session, Wanted, listen,
};
use licensing_raft::AdminAction;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{FEATURES, PATIENCE, text, wait_until};

/// Of whoever administrates from elsewhere.
pub(crate) const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// No session ends by itself in a test that has nothing to do with that.
pub(crate) const LONG: Duration = Duration::from_secs(600);

pub(crate) fn key() -> AdminKey {
    AdminKey::parse(KEY).unwrap()
}

/// A daemon, and the node inside.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) node: Node,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), RunError>>,
}

impl Site {
    /// A new one, and the directory it lives in.
    pub(crate) async fn new(grace: Duration) -> (Site, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        (Site::on(directory.path(), grace, Limits::default()).await, directory)
    }

    /// One that may have been here before.
    pub(crate) async fn on(directory: &Path, grace: Duration, limits: Limits) -> Site {
        let path = directory.join("a.lic");
        // As long as may be, so that no answer is late on a machine that is busy.
        let lease_ms = (grace / 2).as_millis().clamp(300, 3000) as u64;
        std::fs::write(&path, format!("SERVER this_host ANY\nVENDOR demo\n{FEATURES}")).unwrap();
        let (node, is_node) = oneshot::channel();
        let node = std::sync::Mutex::new(Some(node));
        let lend = move |caller: Caller| {
            let _ = node.lock().unwrap().take().map(|node| node.send(caller.node));
            std::future::ready(())
        };
        let daemon = Daemon::builder(LicenseFile::read(&path).unwrap())
            .data(directory.join("data"))
            .admin_key(key())
            .session_grace(grace)
            .limits(limits)
            .settings(move |node| node.timings.lease_ms = lease_ms)
            .door(*b"ACME", lend)
            .start(listen("127.0.0.1:0".parse().unwrap()).unwrap())
            .await
            .unwrap();
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let running = tokio::spawn(daemon.run(move |address| ready.send(address).unwrap(), shutdown));
        let address = is_ready.await.unwrap();
        let is_master = async || text(address, "STATUS\r\n").await.contains("(MASTER)").then_some(());
        wait_until("a master", is_master).await;
        TcpStream::connect(address).await.unwrap().write_all(b"ACME").await.unwrap();
        let node = is_node.await.unwrap();
        // Nothing is written by itself from here on.
        let is_settled = |state: &State| state.is_licensed() && state.edition() == Edition::NEWEST;
        wait_until("a license and the newest rules", async || node.look(is_settled).then_some(())).await;
        Site { address, node, stop, running }
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        drop(self.node);
        tokio::time::timeout(PATIENCE, self.running).await.expect("it does not stop").unwrap().unwrap();
    }

    pub(crate) async fn open(&self, token: Token) -> Session {
        let open = async || self.node.open_session(token, Identity::new("ada", "desk"), None).await.ok();
        wait_until("a session", open).await
    }

    /// A session with a checkout.
    pub(crate) async fn holder(&self, token: Token) -> (SessionId, Handle) {
        let session = self.open(token).await;
        let wanted = ClientAction::Checkout(Wanted::feature("f1"));
        let call = async || session.call(RequestId(1), wanted.clone()).await.ok();
        match wait_until("a seat", call).await.outcome {
            Outcome::Granted { handle, .. } => (session.id(), handle),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn close(&self, session: SessionId, token: Token) {
        self.propose(Command::CloseSession { session, token }).await;
    }

    /// Ends a session as its silence would.
    pub(crate) async fn expire(&self, session: SessionId) {
        let judged_at = self.node.look(State::last_index);
        self.propose(Command::Expire { sessions: vec![session], judged_at }).await;
        assert!(self.node.look(|state| state.holder(session).is_none()), "session {session} lives");
    }

    /// Takes back what administrators have changed, and ends all sessions.
    pub(crate) async fn tidy(&self) {
        let judged_at = self.node.look(State::last_index);
        let sessions = self.node.look(|state| state.sessions().collect());
        self.propose(Command::Expire { sessions, judged_at }).await;
        let is_kept = |state: &State| {
            let kept = Role::ALL.iter().any(|role| state.in_maintenance(*role));
            kept || state.preferred_master().is_some()
        };
        if self.node.look(is_kept) {
            let operator = self.open(Token([0x0f; 16])).await;
            let (role, on) = (Role::Secondary, false);
            operator.administer(RequestId(1), AdminAction::Maintain { role, on }).await.unwrap();
            operator.administer(RequestId(2), AdminAction::PreferMaster { role: None }).await.unwrap();
            operator.close().await.unwrap();
        }
        if self.node.look(State::edition_held) {
            self.propose(Command::HoldEdition { on: false }).await;
        }
    }

    /// Asks until there is an answer: a disk may be slow, and every command may be repeated.
    async fn propose(&self, command: Command) {
        wait_until("an answer", async || self.node.propose(command.clone()).await.ok()).await;
    }
}

/// What was left in the replicated state: `=` nothing at all, `~` an entry by which time passed and nothing else happened, `!`
/// a change.
pub(crate) fn left(before: &State, after: &State) -> char {
    if before.digest() == after.digest() {
        return '=';
    }
    let mut passed = before.clone();
    passed.apply(after.last_index(), &Proposal { at: after.clock(), command: Command::Tick });
    if passed.digest() == after.digest() { '~' } else { '!' }
}
