//! Three real nodes in one process, on real disks, over a network in memory that can be cut in each direction.
//!
//! A cut is silent, as in a real partition: bytes wait, connections stay open, nobody is told. Healing lets the bytes
//! go on.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::written::compiled;
use licensing_core::command::{Action, Call, Command, Identity};
use licensing_core::id::{Handle, RequestId, Role, Seats, SessionId, Token};
use licensing_core::license::License;
use licensing_core::outcome::{Answer, Outcome};
use licensing_raft::environment::{Dialed, Dialer, Dialing, Environment};
use licensing_raft::{Mastership, Node, NodeConfig, PEER_PREAMBLE, ProposeError, ServerAddress, StartError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::watch;

/// Longest wait for something that must happen: far above any failover, so that only a real stall reaches it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes under way on one connection in one direction, as a socket buffer holds them.
const BUFFER: usize = 1 << 20;

/// License text of a triad in memory; the ports are the servers' numbers.
pub fn license(first_line_extra: &str) -> String {
    format!(
        "SERVER memory ANY 2001 {first_line_extra}\nSERVER memory ANY 2002\nSERVER memory ANY 2003\nVENDOR demo\n\
         FEATURE f1 demo 1.0 permanent 10 SIGN=\"0\"\nFEATURE f2 demo 2.5 31-dec-2099 3 SIGN=\"0\"\n"
    )
}

/// What the wires between the servers do.
#[derive(Default)]
struct Wires {
    /// Directions that are cut.
    cuts: BTreeSet<(Role, Role)>,
    /// Bytes that still go through before a direction is cut.
    allowed: BTreeMap<(Role, Role), usize>,
    /// Bytes a second on each connection of a direction that is slow.
    paces: BTreeMap<(Role, Role), usize>,
    /// How often each server has died: what a dead one had sent and nobody received is lost.
    deaths: [u64; 3],
}

impl Wires {
    fn carries(&self, way: (Role, Role)) -> bool {
        !self.cuts.contains(&way)
    }

    /// Takes note of bytes that are about to go a way; says whether it is cut because of them.
    fn spend(&mut self, way: (Role, Role), bytes: usize) -> bool {
        let Some(left) = self.allowed.get_mut(&way) else { return false };
        match left.checked_sub(bytes) {
            Some(rest) => *left = rest,
            None => drop((self.allowed.remove(&way), self.cuts.insert(way))),
        }
        !self.carries(way)
    }
}

/// The network between the nodes.
#[derive(Clone)]
struct Net {
    nodes: Arc<Mutex<[Option<Node>; 3]>>,
    wires: watch::Sender<Wires>,
}

/// Three nodes and what they need.
pub struct Cluster {
    license: String,
    net: Net,
    data: TempDir,
    configure: fn(&mut NodeConfig),
}

impl Cluster {
    /// A triad that is not started yet. `first_line_extra` goes to the end of the first SERVER line.
    pub fn new(first_line_extra: &str) -> Cluster {
        let (wires, _) = watch::channel(Wires::default());
        let net = Net { nodes: Arc::default(), wires };
        let data = tempfile::tempdir().expect("a temporary directory");
        Cluster { license: license(first_line_extra), net, data, configure: |_| {} }
    }

    /// Changes the configuration of every server started from now on.
    pub fn configure(mut self, configure: fn(&mut NodeConfig)) -> Cluster {
        self.configure = configure;
        self
    }

    /// A started triad with a master and its license installed.
    pub async fn started(first_line_extra: &str) -> Cluster {
        let cluster = Cluster::new(first_line_extra);
        cluster.start_all().await;
        cluster
    }

    /// Starts all three, waits for the primary to be master, installs the license.
    pub async fn start_all(&self) {
        for role in Role::ALL {
            self.start(role).await;
        }
        self.wait_for_master(Role::Primary).await;
        let installed = self.node(Role::Primary).install(compiled(&self.license)).await;
        installed.expect("the license is installed");
    }

    /// Starts a server on its directory.
    pub async fn start(&self, role: Role) {
        self.start_with(self.config(role)).await;
    }

    /// What a server is started with.
    pub fn config(&self, role: Role) -> NodeConfig {
        let license = License::parse(&self.license).expect("the license of the test");
        let mut config = NodeConfig::from_license(&license, role, self.directory(role))
            .expect("the license is for a triad");
        (self.configure)(&mut config);
        config
    }

    /// Starts a server with a configuration of its own.
    pub async fn start_with(&self, config: NodeConfig) {
        self.try_start(config).await.expect("the node starts");
    }

    /// Starts a server that may refuse to.
    ///
    /// # Errors
    ///
    /// Why it does not start.
    pub async fn try_start(&self, config: NodeConfig) -> Result<(), StartError> {
        crate::mutants::plant_as_told();
        let role = config.role;
        let dialer = Arc::new(MemoryDialer { from: role, net: self.net.clone() });
        let environment = Environment { dialer, ..Environment::default() };
        let node = Node::start_in(config, environment).await?;
        self.net.set(role, Some(node));
        Ok(())
    }

    /// Directory of a server's data.
    pub fn directory(&self, role: Role) -> std::path::PathBuf {
        self.data.path().join(role.name())
    }

    /// Stops a server without a word to the others, as far as that is possible in one process.
    pub async fn kill(&self, role: Role) {
        let node = self.net.node(role).expect("a server that runs");
        self.net.set(role, None);
        self.net.wires.send_modify(|wires| wires.deaths[role.place()] += 1);
        node.stop(false).await;
    }

    /// Stops a server as an administrator would.
    pub async fn stop(&self, role: Role) {
        let node = self.net.node(role).expect("a server that runs");
        node.stop(true).await;
        self.net.set(role, None);
    }

    /// The node of a running server.
    pub fn node(&self, role: Role) -> Node {
        self.net.node(role).expect("a server that runs")
    }

    /// Silently loses everything between two servers.
    pub fn cut(&self, one: Role, other: Role) {
        self.net.wires.send_modify(|wires| wires.cuts.extend([(one, other), (other, one)]));
    }

    /// Silently loses everything from one server to another.
    pub fn cut_one_way(&self, from: Role, to: Role) {
        self.net.wires.send_modify(|wires| {
            wires.cuts.insert((from, to));
        });
    }

    /// Silently loses everything from one server to another, as soon as so many more bytes have gone that way.
    pub fn cut_after(&self, from: Role, to: Role, bytes: usize) {
        self.net.wires.send_modify(|wires| {
            wires.allowed.insert((from, to), bytes);
        });
    }

    /// Whether this way is cut.
    pub fn is_cut(&self, from: Role, to: Role) -> bool {
        !self.net.wires.borrow().carries((from, to))
    }

    /// From now on a connection from one server to another carries no more than so many bytes a second.
    pub fn slow(&self, from: Role, to: Role, bytes_per_second: usize) {
        self.net.wires.send_modify(|wires| {
            wires.paces.insert((from, to), bytes_per_second.max(1));
        });
    }

    /// Ends the cut between two servers.
    pub fn heal(&self, one: Role, other: Role) {
        self.net
            .wires
            .send_modify(|wires| wires.cuts.retain(|cut| *cut != (one, other) && *cut != (other, one)));
    }

    /// Cuts a server off from both others.
    pub fn isolate(&self, role: Role) {
        for other in role.others() {
            self.cut(role, other);
        }
    }

    /// Ends all cuts.
    pub fn heal_all(&self) {
        self.net.wires.send_modify(|wires| {
            wires.cuts.clear();
            wires.allowed.clear();
        });
    }

    /// Waits until this server serves.
    pub async fn wait_for_master(&self, role: Role) {
        self.wait_for(role, |now| now.serving, "to be master").await;
    }

    /// Waits until a server sees mastership as described.
    pub async fn wait_for(&self, role: Role, seen: impl Fn(&Mastership) -> bool, what: &str) {
        let mut mastership = self.node(role).mastership();
        let waiting = mastership.wait_for(|now| seen(now));
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(result) => drop(result.expect("the node runs")),
            Err(_) => panic!(
                "waited {} s for the {role} {what}; it sees {:?}; servers: {:#?}",
                PATIENCE.as_secs(),
                *self.node(role).mastership().borrow(),
                self.node(role).servers()
            ),
        }
    }

    /// Waits until something is true of a server.
    pub async fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds() {
            assert!(tokio::time::Instant::now() < deadline, "waited {} s until {what}", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Proposes at one server.
    pub async fn propose(&self, role: Role, command: Command) -> Result<Answer, ProposeError> {
        self.node(role).propose(command).await
    }

    /// Opens a session at a master.
    pub async fn open_session(&self, role: Role, number: u8) -> Holder {
        let token = Token([number; 16]);
        let identity = Identity {
            user: format!("user{number}"),
            host: "cad-17".to_owned(),
            display: ":0".to_owned(),
            pid: u32::from(number),
            project: String::new(),
        };
        let answer = self
            .propose(role, Command::OpenSession { token, identity, address: None })
            .await
            .expect("a session");
        let Outcome::SessionOpened { session } = answer.outcome else { panic!("no session: {answer:?}") };
        Holder::new(session, token)
    }

    /// Handles of the seats that are out as this server has applied it, in order.
    pub fn handles(&self, role: Role) -> Vec<Handle> {
        self.node(role).look(|state| state.checkouts().map(|checkout| checkout.handle).collect())
    }

    /// Stops whatever runs.
    pub async fn shut_down(self) {
        for role in Role::ALL {
            if self.net.node(role).is_some() {
                self.kill(role).await;
            }
        }
    }
}

/// A session of a test.
pub struct Holder {
    /// Its name.
    pub session: SessionId,
    token: Token,
    next: u64,
}

impl Holder {
    /// A session that was opened with this token and has asked for nothing yet.
    pub fn new(session: SessionId, token: Token) -> Holder {
        Holder { session, token, next: 1 }
    }

    /// What ends this session.
    pub fn close(&self) -> Command {
        Command::CloseSession { session: self.session, token: self.token }
    }

    /// The next numbered request of this session.
    pub fn call(&mut self, action: Action) -> Command {
        let request = RequestId(self.next);
        self.next += 1;
        let acknowledged = RequestId(request.0 - 1);
        Command::Call(Call { session: self.session, token: self.token, request, acknowledged, action })
    }

    /// A request for one seat of a feature.
    pub fn checkout(&mut self, feature: &str) -> Command {
        self.call(Action::Checkout {
            vendor: None,
            feature: feature.to_owned(),
            version: "1.0".to_owned(),
            seats: Seats(1),
        })
    }
}

/// The handle of a granted checkout.
pub fn granted(answer: Result<Answer, ProposeError>) -> Handle {
    match answer.map(|answer| answer.outcome) {
        Ok(Outcome::Granted { handle, .. }) => handle,
        other => panic!("not granted: {other:?}"),
    }
}

impl Net {
    fn node(&self, role: Role) -> Option<Node> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)[role.place()].clone()
    }

    fn set(&self, role: Role, node: Option<Node>) {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)[role.place()] = node;
    }
}

struct MemoryDialer {
    from: Role,
    net: Net,
}

impl Dialer for MemoryDialer {
    fn dial(&self, address: &ServerAddress) -> Dialing {
        let (from, net) = (self.from, self.net.clone());
        let to = Role::from_number(u64::from(address.port) - 2000);
        Box::pin(async move {
            let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
            let to = to.ok_or_else(refused)?;
            let target = net.node(to).ok_or_else(refused)?;
            let (dialer_end, dialer_wire) = tokio::io::duplex(BUFFER);
            let (mut acceptor_end, acceptor_wire) = tokio::io::duplex(BUFFER);
            let (from_dialer, to_dialer) = tokio::io::split(dialer_wire);
            let (from_acceptor, to_acceptor) = tokio::io::split(acceptor_wire);
            tokio::spawn(carry(from_dialer, to_acceptor, (from, to), net.wires.clone()));
            tokio::spawn(carry(from_acceptor, to_dialer, (to, from), net.wires.clone()));
            tokio::spawn(async move {
                let mut preamble = [0; 4];
                if acceptor_end.read_exact(&mut preamble).await.is_ok() && preamble == PEER_PREAMBLE {
                    target.accept_peer_on(acceptor_end, from.to_string(), None);
                }
            });
            Ok(Dialed::new(dialer_end))
        })
    }
}

/// Carries bytes one way, and holds them while that way is cut. Ends with the life of either server.
async fn carry(
    mut from: ReadHalf<DuplexStream>,
    mut to: WriteHalf<DuplexStream>,
    way: (Role, Role),
    net: watch::Sender<Wires>,
) {
    let mut wires = net.subscribe();
    let lives = |wires: &Wires| [way.0, way.1].map(|role| wires.deaths[role.place()]);
    let born = lives(&wires.borrow());
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        net.send_if_modified(|wires| wires.spend(way, length));
        let free = wires.wait_for(|wires| wires.carries(way) || lives(wires) != born).await.is_ok();
        if !free || lives(&wires.borrow()) != born || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
        let pace = wires.borrow().paces.get(&way).copied();
        if let Some(bytes_per_second) = pace {
            tokio::time::sleep(Duration::from_secs_f64(length as f64 / bytes_per_second as f64)).await;
        }
    }
    // The far end hears of the end, unless the way is cut.
    if wires.wait_for(|wires| wires.carries(way)).await.is_ok() {
        let _ = to.shutdown().await;
    }
}
