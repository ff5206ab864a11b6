//! A daemon with a protocol of its own, put to the test as the reference server is:
//! `cargo run --release -p licensing-tests --example own_protocol`. What stands here is what is its own.

use std::sync::Arc;

use licensing_core::command::Identity;
use licensing_core::id::{RequestId, Role, Token};
use licensing_core::outcome::Answer;
use licensing_daemon::LicenseFile;
use licensing_raft::{ClientAction, Node, NodeConfig, Wanted};
use licensing_tests::history::{Kind, Told};
use licensing_tests::simulation::{Client, End, Host, NodeService, Nodes, Options, Site, run};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::Mutex;
use tokio::time::{Duration, sleep, timeout};

/// What is asked, in a line of JSON: a secret, a number, what for, or nothing but a sign of life. The answer is a line too,
/// empty when there is none.
type Question = (u32, u64, Option<Kind>);

struct Acme;

#[derive(Clone)]
struct Caller(Arc<Site<Nodes<Acme>>>, u32, Arc<Mutex<u64>>);

impl NodeService for Acme {
    type Server = Node;
    type Client = Caller;
    fn features(&self) -> String {
        "FEATURE seat demo 1.0 permanent 10 SIGN=0\n".to_owned()
    }
    async fn start(&self, host: &Host, config: NodeConfig, _: LicenseFile) -> Result<Node, String> {
        host.start_node(config).await
    }
    fn serve(&self, node: Node, stream: DuplexStream, _: End) -> impl Future<Output = ()> + Send + 'static {
        serve(node, stream)
    }
    async fn client(&self, site: &Arc<Site<Nodes<Acme>>>, number: u32) -> Option<Caller> {
        let caller = Caller(site.clone(), number, Arc::default());
        let living = caller.clone();
        tokio::spawn(async move {
            loop {
                living.say(&(number, 0, None)).await;
                sleep(Duration::from_secs(1)).await;
            }
        });
        Some(caller)
    }
}

async fn serve(node: Node, stream: DuplexStream) {
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let answer = answer(&node, &line).await;
        line = answer.map_or_else(String::new, |answer| serde_json::to_string(&answer).unwrap()) + "\n";
        if stream.write_all(line.as_bytes()).await.is_err() {
            return;
        }
        line.clear();
    }
}

async fn answer(node: &Node, line: &str) -> Option<Answer> {
    let (secret, number, kind): Question = serde_json::from_str(line).ok()?;
    let token = Token(u128::from(secret).to_be_bytes());
    let session = node.open_session(token, Identity::new("ada", "desk"), None).await.ok()?;
    session.alive().await.ok()?;
    let action = match kind? {
        Kind::Checkout { feature, seats } => {
            ClientAction::Checkout(Wanted::feature(feature).version("1.0").seats(seats.0))
        }
        Kind::Checkin { handle } => ClientAction::Checkin { handle },
        _ => return None,
    };
    session.call(RequestId(number), action).await.ok()
}

impl Client for Caller {
    async fn ask(&mut self, kind: &Kind) -> Told {
        let mut number = self.2.lock().await;
        *number += 1;
        let question = (self.1, *number, Some(kind.clone()));
        loop {
            if let Some(answer) = self.say(&question).await {
                return answer.into();
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Caller {
    /// Says it to one server after the other, until one answers.
    async fn say(&self, question: &Question) -> Option<Answer> {
        let line = serde_json::to_string(question).unwrap() + "\n";
        for role in Role::ALL {
            if let Ok(Some(answer)) = timeout(Duration::from_secs(1), self.say_to(role, &line)).await {
                return Some(answer);
            }
        }
        None
    }

    async fn say_to(&self, role: Role, line: &str) -> Option<Answer> {
        let mut stream = BufReader::new(self.0.network.connect(End::Client(self.1), role).await.ok()?);
        stream.write_all(line.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_line(&mut answer).await.ok()?;
        serde_json::from_str(&answer).ok()
    }
}

pub(crate) fn main() {
    for seed in 1..=4 {
        let report = run(Nodes::of(Acme), &Options::of(seed));
        eprintln!("seed {seed}: {} grants, {:?}", report.verdict.granted, report.violations);
        assert!(report.violations.is_empty(), "replay: run(Nodes::of(Acme), &Options::of({seed}))");
    }
}
