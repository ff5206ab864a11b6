//! A node that is alone, on a real disk: it serves at once, keeps what it decided, and can be stopped twice.

use std::path::Path;

use licensing_core::command::{Action, Call, Command, Identity};
use licensing_core::id::{RequestId, Role, Seats, SessionId, Token};
use licensing_core::license::Compiled;
use licensing_core::outcome::{Answer, Outcome};
use licensing_raft::{ConfigError, Node, NodeConfig, ProposeError, StartError};

const TEXT: &str = "SERVER this_host ANY\nVENDOR demo\nFEATURE f1 demo 1.0 permanent 5 SIGN=0\n";
const TOKEN: Token = Token([7; 16]);

fn license() -> Compiled {
    Compiled::from_text("demo.lic", TEXT).unwrap()
}

fn config(directory: &Path) -> NodeConfig {
    NodeConfig::from_license(license().license(), Role::Primary, directory).unwrap()
}

async fn started(directory: &Path) -> Node {
    let node = Node::start(config(directory)).await.unwrap();
    node.mastership().wait_for(|now| now.serving).await.unwrap();
    node
}

async fn open_session(node: &Node) -> SessionId {
    let text = String::new;
    let identity = Identity { user: text(), host: text(), display: text(), pid: 1, project: text() };
    let open = Command::OpenSession { token: TOKEN, identity, address: None };
    match node.propose(open).await.unwrap().outcome {
        Outcome::SessionOpened { session } => session,
        other => panic!("no session: {other:?}"),
    }
}

async fn check_out(node: &Node, session: SessionId, request: u64) -> Result<Answer, ProposeError> {
    let (feature, version) = ("f1".to_owned(), "1.0".to_owned());
    let action = Action::Checkout { vendor: None, feature, version, seats: Seats(1) };
    let (request, acknowledged) = (RequestId(request), RequestId(request - 1));
    node.propose(Command::Call(Call { session, token: TOKEN, request, acknowledged, action })).await
}

#[tokio::test]
async fn it_serves_by_itself_and_remembers_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let node = started(directory.path()).await;
    node.install(license()).await.unwrap();
    let session = open_session(&node).await;
    let granted = check_out(&node, session, 1).await.unwrap();
    assert!(matches!(granted.outcome, Outcome::Granted { .. }), "{granted:?}");
    assert_eq!(node.servers().len(), 1);
    assert_eq!(node.warnings(), Vec::<String>::new());
    node.stop(true).await;

    let node = started(directory.path()).await;
    assert_eq!(check_out(&node, session, 1).await.unwrap(), granted, "a resent request has its first answer");
    assert_eq!(node.read().await.unwrap().checkout_count(), 1);
    node.stop(false).await;
}

/// On a clone, at the same time, and once more when all is over: everybody returns when it has ended.
#[tokio::test]
async fn stopping_twice_is_stopping_once() {
    let directory = tempfile::tempdir().unwrap();
    let node = started(directory.path()).await;
    let (first, second) = (node.clone(), node.clone());
    tokio::join!(first.stop(true), second.stop(false));
    node.stop(true).await;
    assert!(!node.serves());
    // The directory is free again.
    started(directory.path()).await.stop(false).await;
}

/// Whoever asked first and gave up leaves it to the next one.
#[tokio::test]
async fn a_stop_that_was_given_up_is_finished_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let node = started(directory.path()).await;
    let mut given_up = Box::pin(node.stop(true));
    assert!(futures_util::poll!(given_up.as_mut()).is_pending());
    drop(given_up);
    node.stop(true).await;
    started(directory.path()).await.stop(false).await;
}

#[tokio::test]
async fn there_is_no_secondary_of_a_single_server() {
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = config(directory.path());
    wrong.role = Role::Secondary;
    let error = Node::start(wrong).await.expect_err("it must be refused");
    assert!(
        matches!(error, StartError::Config(ConfigError::SingleIsPrimary { role: Role::Secondary })),
        "{error}"
    );
}
