//! What the tests of sizes have in common: a triad that is patient, a crowd in it, and a client that needs no port.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use licensing_client::dial::{Dial, Stream};
use licensing_client::{Direct, ServerAddress};
use licensing_core::command::{Action, Command, Identity};
use licensing_core::edition::Edition;
use licensing_core::id::{Handle, Role, Seats, Token};
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use licensing_daemon::testing::SimulatedServer;
use licensing_daemon::{DaemonConfig, LicenseFile};
use licensing_raft::{Node, NodeConfig, ProposeError};
use licensing_tests::cluster::{Cluster, Holder, PATIENCE};
use licensing_tests::compiled;
use tokio::time::Instant;

/// A long lease: however slow the machine, nobody else becomes master because of the work.
pub(crate) const PATIENT: &str = "PRIMARY_IS_MASTER HEARTBEAT_INTERVAL=1";

/// Requests at a time, of those that let a crowd come: a third of what a node takes.
const AT_ONCE: usize = 700;

/// The license of the triad in memory with these FEATURE lines.
pub(crate) fn license_with(features: &str) -> String {
    format!(
        "SERVER memory ANY 2001 {PATIENT}\nSERVER memory ANY 2002\nSERVER memory ANY 2003\nVENDOR demo\n{features}"
    )
}

/// Sessions live through every test that does not wait for their end.
pub(crate) fn long_grace(config: &mut NodeConfig) {
    config.session_grace = Duration::from_secs(600);
}

/// A triad of this configuration that serves these FEATURE lines under the newest rules.
pub(crate) async fn triad(features: &str, configure: fn(&mut NodeConfig)) -> Cluster {
    let cluster = Cluster::new(PATIENT).configure(configure);
    cluster.start_all().await;
    let node = cluster.node(Role::Primary);
    cluster.wait_until("the newest rules apply", || node.upgrade().edition == Edition::NEWEST).await;
    let installed = node.install(compiled(&license_with(features))).await.expect("an answer");
    assert!(matches!(installed.outcome, Outcome::Installed { .. }), "{installed:?}");
    cluster
}

/// Asks until there is an answer: every command of a session may be repeated.
pub(crate) async fn ask(node: &Node, command: Command) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match node.propose(command.clone()).await {
            Ok(answer) => return answer.outcome,
            Err(problem @ (ProposeError::TooLarge { .. } | ProposeError::Stopped(_))) => panic!("{problem}"),
            Err(problem) => assert!(Instant::now() < deadline, "no answer in {PATIENCE:?}: {problem}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Does so for many, some hundreds at a time; the results are in the order of the many.
pub(crate) async fn each<T, F: Future>(
    many: impl IntoIterator<Item = T>,
    act: impl FnMut(T) -> F,
) -> Vec<F::Output> {
    stream::iter(many).map(act).buffered(AT_ONCE).collect().await
}

/// Who a crowd consists of.
pub(crate) fn anybody(number: usize) -> Identity {
    Identity { pid: number as u32, ..Identity::new(format!("user{number}"), "cad-17") }
}

/// A session of its own number.
pub(crate) async fn join(node: &Node, number: usize, identity: Identity) -> Holder {
    let mut token = Token([7; 16]);
    token.0[..8].copy_from_slice(&(number as u64).to_le_bytes());
    let outcome = ask(node, Command::OpenSession { token, identity, address: None }).await;
    let Outcome::SessionOpened { session } = outcome else { panic!("no session: {outcome:?}") };
    Holder::new(session, token)
}

/// One seat of a feature, with so many bytes of vendor data.
pub(crate) fn seat(feature: &str, data: usize) -> Action {
    Action::checkout(None, feature.to_owned(), "1.0".to_owned(), Seats(1), vec![b'd'; data])
}

/// So many sessions with so many checkouts each, of a feature, with so much vendor data at each.
pub(crate) async fn crowd(
    node: &Node,
    sessions: usize,
    checkouts: usize,
    feature: &str,
    data: usize,
) -> Vec<Holder> {
    each(0..sessions, async |number| {
        let mut member = join(node, number, anybody(number)).await;
        for _ in 0..checkouts {
            take(node, &mut member, seat(feature, data)).await;
        }
        member
    })
    .await
}

/// Seats that must be granted.
pub(crate) async fn take(node: &Node, member: &mut Holder, action: Action) -> Handle {
    let answer = ask(node, member.call(action)).await;
    match answer {
        Outcome::Granted { handle, .. } => handle,
        other => panic!("not granted: {other:?}"),
    }
}

/// Waits until a server has applied what another has, and holds the same state.
pub(crate) async fn level(cluster: &Cluster, one: Role, other: Role) {
    let index = |role: Role| cluster.node(role).look(State::last_index);
    let what = format!("the {other} has applied what the {one} has");
    cluster.wait_until(&what, || index(one) == index(other)).await;
    let digests = [one, other].map(|role| cluster.node(role).state().digest());
    assert_eq!(digests[0], digests[1], "the {one} and the {other} differ at equal index");
}

/// A server around a node, whose clients are in this process too.
pub(crate) struct Served(SimulatedServer);

impl Served {
    /// A server with the usual limits around a node.
    pub(crate) fn of(node: Node, license: &str) -> Served {
        let parsed = licensing_core::license::License::parse(license).expect("the license of the test");
        let file =
            LicenseFile { path: "test.lic".into(), text: license.to_owned(), license: parsed, options: None };
        let config = DaemonConfig::new(node.config().clone(), vec![file]);
        Served(SimulatedServer::new(node, &config))
    }

    /// A connection, before its first byte.
    pub(crate) fn connect(&self) -> tokio::io::DuplexStream {
        let (near, far) = tokio::io::duplex(64 << 10);
        // From this host: an administrator.
        tokio::spawn(self.0.serve(far, ([127, 0, 0, 1], 4000).into()));
        near
    }

    /// A client without a session.
    pub(crate) async fn direct(&self) -> Direct {
        let address = ServerAddress::new("memory", 2001);
        Direct::connect(&address, self)
            .await
            .expect("the server welcomes a client")
            .with_answer_limit(PATIENCE)
    }
}

impl Dial for Served {
    fn dial<'a>(&'a self, _: &'a ServerAddress) -> BoxFuture<'a, std::io::Result<Box<dyn Stream>>> {
        let stream = self.connect();
        async move { Ok(Box::new(stream) as Box<dyn Stream>) }.boxed()
    }
}

/// Bytes of this process's memory, for the record.
pub(crate) fn memory() -> String {
    let bytes = licensing_tests::hostile::flood::memory(std::process::id());
    bytes.map_or_else(|| "?".to_owned(), |bytes| format!("{} MB", bytes / 1_000_000))
}
