//! Three nodes of this process behind real TCP listeners, and what a hostile peer does to one of them.
//!
//! Their leases are long: nothing here may change the leader or the term, on however slow a machine.

use std::net::{Ipv4Addr, SocketAddr};

use crate::written::compiled;
use licensing_core::Digest;
use licensing_core::command::{Action, Call, Command, Identity};
use licensing_core::id::{RequestId, Role, Seats, SessionId, Token};
use licensing_core::license::License;
use licensing_core::outcome::Outcome;
use licensing_raft::testing::forge::{Impostor, RaftView};
use licensing_raft::{Node, NodeConfig, PEER_PREAMBLE, PeerKey};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::process::{PATIENCE, wait_until};

/// Three nodes and their listeners.
pub struct TcpTriad {
    nodes: Vec<Node>,
    configs: Vec<NodeConfig>,
    addresses: [SocketAddr; 3],
    client: (SessionId, Token, u64),
    _listeners: JoinSet<()>,
    _data: TempDir,
}

/// What every server of a triad holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// Of openraft's.
    pub views: Vec<RaftView>,
    /// Of ours.
    pub digests: Vec<Digest>,
}

impl TcpTriad {
    /// A triad with the primary as master, its license, and a session. Its peers prove themselves with `key`.
    pub async fn start(key: Option<PeerKey>) -> TcpTriad {
        TcpTriad::start_with(key, |_| {}).await
    }

    /// The same, with servers that are told something else.
    pub async fn start_with(key: Option<PeerKey>, mut change: impl FnMut(&mut NodeConfig)) -> TcpTriad {
        crate::mutants::plant_as_told();
        let mut listeners = Vec::new();
        for _ in Role::ALL {
            listeners.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port"));
        }
        let addresses: Vec<SocketAddr> =
            listeners.iter().map(|listener| listener.local_addr().expect("it listens")).collect();
        let addresses: [SocketAddr; 3] = addresses.try_into().expect("three");
        let servers = addresses.map(|address| format!("SERVER 127.0.0.1 ANY {}\n", address.port())).concat();
        let text = format!("{servers}VENDOR demo\nFEATURE f1 demo 1.0 permanent 10 SIGN=0\n").replacen(
            '\n',
            " PRIMARY_IS_MASTER HEARTBEAT_INTERVAL=1\n",
            1,
        );
        let license = License::parse(&text).expect("the license of the test");
        let data = tempfile::tempdir().expect("a temporary directory");
        let (mut nodes, mut configs) = (Vec::new(), Vec::new());
        for role in Role::ALL {
            let directory = data.path().join(role.name());
            let mut config = NodeConfig::from_license(&license, role, directory).expect("a triad");
            config.peer_key = key.clone();
            change(&mut config);
            nodes.push(Node::start(config.clone()).await.expect("the node starts"));
            configs.push(config);
        }
        let mut tasks = JoinSet::new();
        for (listener, node) in listeners.into_iter().zip(nodes.clone()) {
            tasks.spawn(listen(listener, node));
        }
        let client = (SessionId(0), Token([4; 16]), 0);
        let mut triad = TcpTriad { nodes, configs, addresses, client, _listeners: tasks, _data: data };
        wait_until("the primary is master", async || triad.node(Role::Primary).serves().then_some(())).await;
        triad.ask(Command::Install(compiled(&text).into())).await;
        triad.open_session().await;
        triad
    }

    /// One of the nodes.
    pub fn node(&self, role: Role) -> &Node {
        &self.nodes[role.place()]
    }

    /// What a node was started with.
    pub fn config(&self, role: Role) -> &NodeConfig {
        &self.configs[role.place()]
    }

    /// Where a node listens.
    pub fn address(&self, role: Role) -> SocketAddr {
        self.addresses[role.place()]
    }

    /// A connection to `to` on which somebody with the configuration of a server has proved himself, as one of its triad.
    ///
    /// Errors: why he has not.
    pub async fn impostor(&self, config: &NodeConfig, to: Role) -> Result<Impostor<TcpStream>, String> {
        let listener = self.stranger(config, to, None).await?;
        self.stranger(config, to, listener.met()).await
    }

    /// The same, of the triad that is named.
    ///
    /// Errors: why he has not.
    pub async fn stranger(
        &self,
        config: &NodeConfig,
        to: Role,
        triad_id: Option<[u8; 16]>,
    ) -> Result<Impostor<TcpStream>, String> {
        let stream = TcpStream::connect(self.address(to)).await.map_err(|error| error.to_string())?;
        let meeting = Impostor::meet(stream, config, to, triad_id, [1; 32]);
        timeout(PATIENCE, meeting).await.unwrap_or_else(|_| panic!("the {to} neither accepts nor refuses"))
    }

    /// Sends bytes behind the preamble of a peer, says whether more will come, and gives everything that is answered
    /// until the server closes the connection.
    pub async fn rubbish(&self, to: Role, bytes: &[u8], more_will_come: bool) -> Vec<u8> {
        let talking = async {
            let mut stream = TcpStream::connect(self.address(to)).await.expect("the server listens");
            // It may be closed before all of it is written.
            let _ = stream.write_all(&[&PEER_PREAMBLE[..], bytes].concat()).await;
            if !more_will_come {
                let _ = stream.shutdown().await;
            }
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            answer
        };
        timeout(PATIENCE, talking).await.unwrap_or_else(|_| panic!("the {to} never closes {bytes:02x?}"))
    }

    /// What all three hold, once all have applied the same.
    pub async fn holdings(&self) -> Holdings {
        wait_until("all three servers have applied the same", async || {
            let views: Vec<RaftView> = self.nodes.iter().map(Node::raft_view).collect();
            let digests: Vec<Digest> = self.nodes.iter().map(|node| node.state().digest()).collect();
            let same = views.iter().all(|view| {
                view.last_index == view.applied.map(|(_, index)| index)
                    && (view.last_index, view.term) == (views[0].last_index, views[0].term)
                    && view.leader == Some(Role::Primary.number())
            });
            (same && digests.iter().all(|digest| *digest == digests[0]))
                .then_some(Holdings { views, digests })
        })
        .await
    }

    /// A seat is given and taken back, and all three have applied it.
    pub async fn still_decides(&mut self) {
        self.decide().await;
        for node in &self.nodes {
            assert!(node.raft_view().running && node.failure().borrow().is_none(), "a server has stopped");
            // Looking must not fail either, whatever a peer has said of itself.
            assert_eq!(node.servers().len(), 3);
        }
        self.holdings().await;
    }

    /// A seat is given and taken back.
    pub async fn decide(&mut self) {
        let action = Action::Checkout {
            vendor: None,
            feature: "f1".to_owned(),
            version: "1.0".to_owned(),
            seats: Seats(1),
        };
        let outcome = self.call(action).await;
        let Outcome::Granted { handle, .. } = outcome else { panic!("not granted: {outcome:?}") };
        let outcome = self.call(Action::Checkin { handle, owner: None }).await;
        assert_eq!(outcome, Outcome::Returned { handle });
    }

    async fn call(&mut self, action: Action) -> Outcome {
        let (session, token, last) = self.client;
        let request = RequestId(last + 1);
        self.client.2 += 1;
        let acknowledged = RequestId(last);
        self.ask(Command::Call(Call { session, token, request, acknowledged, action })).await
    }

    async fn open_session(&mut self) {
        let token = self.client.1;
        let words = ["ada", "desk", ":0"].map(str::to_owned);
        let [user, host, display] = words;
        let identity = Identity { user, host, display, pid: 1, project: String::new() };
        let outcome = self.ask(Command::OpenSession { token, identity, address: None }).await;
        let Outcome::SessionOpened { session } = outcome else { panic!("no session: {outcome:?}") };
        self.client.0 = session;
    }

    /// Asks until there is an answer: every command may be repeated.
    async fn ask(&self, command: Command) -> Outcome {
        let node = self.node(Role::Primary);
        let answer = wait_until("the triad decides", async || node.propose(command.clone()).await.ok());
        answer.await.outcome
    }

    /// Stops all three.
    pub async fn stop(self) {
        for node in &self.nodes {
            node.stop(false).await;
        }
    }
}

async fn listen(listener: TcpListener, node: Node) {
    while let Ok((mut stream, from)) = listener.accept().await {
        let node = node.clone();
        tokio::spawn(async move {
            let mut preamble = [0; 4];
            if stream.read_exact(&mut preamble).await.is_ok() && preamble == PEER_PREAMBLE {
                node.accept_peer(stream, from.to_string());
            }
        });
    }
}
