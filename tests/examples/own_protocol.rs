//! A daemon with a protocol of its own, put to the test as the reference server is:
//! `cargo run --release -p licensing-tests --example own_protocol`. What stands here is what is its own.

use std::sync::Arc;

use licensing_core::command::Identity;
use licensing_core::id::{RequestId, Role, SessionId, Token};
use licensing_core::outcome::Answer;
use licensing_daemon::LicenseFile;
use licensing_raft::{ClientAction, Node, NodeConfig, Session, SessionError, Wanted};
use licensing_tests::history::{Kind, Told};
use licensing_tests::simulation::{Client, End, Host, NodeService, Nodes, Options, Site, run};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::Mutex;
use tokio::time::{Duration, sleep, timeout};

/// What is asked, in a line of JSON: a secret, the session when there is one already, a number, and what for, or nothing but a
/// sign of life.
type Question = (u32, Option<SessionId>, u64, Option<Kind>);

/// What is answered, in a line too: the session, and the answer. `null` when the session is gone, nothing when this server
/// cannot tell.
type Reply = Option<(SessionId, Option<Answer>)>;

struct Acme;

#[derive(Clone)]
struct Caller {
    site: Arc<Site<Nodes<Acme>>>,
    number: u32,
    session: SessionId,
    /// The number of its last request.
    asked: Arc<Mutex<u64>>,
}

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
        Some(Caller::open(site, number).await)
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

/// `None` when this server cannot tell.
async fn answer(node: &Node, line: &str) -> Option<Reply> {
    let (secret, session, number, kind): Question = serde_json::from_str(line).ok()?;
    let token = Token(u128::from(secret).to_be_bytes());
    let session = match session {
        None => node.open_session(token, Identity::new("ada", "desk"), None).await,
        Some(session) => node.resume_session(session, token).await,
    };
    match session {
        Ok(session) => answer_in(&session, number, kind).await,
        Err(SessionError::Gone) => Some(None),
        Err(_) => None,
    }
}

async fn answer_in(session: &Session, number: u64, kind: Option<Kind>) -> Option<Reply> {
    let action = match kind {
        None => return Some(Some((session.id(), None))),
        Some(Kind::Checkout { feature, seats }) => {
            ClientAction::Checkout(Wanted::feature(feature).version("1.0").seats(seats.0))
        }
        Some(Kind::Checkin { handle }) => ClientAction::Checkin { handle },
        // Clients are asked for nothing else, unless `Service::keeps_data`.
        Some(_) => return None,
    };
    match session.call(RequestId(number), action).await {
        Ok(answer) => Some(Some((session.id(), Some(answer)))),
        Err(SessionError::Gone) => Some(None),
        Err(_) => None,
    }
}

impl Client for Caller {
    fn session(&self) -> Option<SessionId> {
        Some(self.session)
    }

    async fn ask(&mut self, kind: &Kind) -> Told {
        let mut number = self.asked.lock().await;
        *number += 1;
        let question = (self.number, Some(self.session), *number, Some(kind.clone()));
        match say(&self.site, &question).await {
            Some((_, Some(answer))) => answer.into(),
            Some((_, None)) => Told::NotDone { why: "it was taken for a sign of life".to_owned() },
            None => Told::SessionLost,
        }
    }
}

impl Caller {
    async fn open(site: &Arc<Site<Nodes<Acme>>>, number: u32) -> Caller {
        let (session, _) = say(site, &(number, None, 0, None)).await.expect("a new session is there");
        let living = site.clone();
        tokio::spawn(async move {
            while say(&living, &(number, Some(session), 0, None)).await.is_some() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        Caller { site: site.clone(), number, session, asked: Arc::default() }
    }
}

/// Says it to one server after the other, until one can tell.
async fn say(site: &Site<Nodes<Acme>>, question: &Question) -> Reply {
    let line = serde_json::to_string(question).unwrap() + "\n";
    loop {
        for role in Role::ALL {
            let exchange = say_to(site, End::Client(question.0), role, &line);
            if let Ok(Some(reply)) = timeout(Duration::from_secs(1), exchange).await {
                return reply;
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn say_to(site: &Site<Nodes<Acme>>, from: End, to: Role, line: &str) -> Option<Reply> {
    let mut stream = BufReader::new(site.network.connect(from, to).await.ok()?);
    stream.write_all(line.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_line(&mut answer).await.ok()?;
    serde_json::from_str(&answer).ok()
}

pub(crate) fn main() {
    for seed in 1..=4 {
        let report = run(Nodes::of(Acme), &Options::of(seed));
        eprintln!("seed {seed}: {} grants", report.verdict.granted);
        assert!(report.is_good(), "{report}\nreplay: run(Nodes::of(Acme), &Options::of({seed}))");
    }
}
