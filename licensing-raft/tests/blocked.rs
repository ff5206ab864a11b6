//! A program may block the threads that its node was started on: the node has its own, with the connections of its peers,
//! whoever accepted them.

use std::thread;
use std::time::Duration;

use licensing_core::id::Role;
use licensing_core::license::License;
use licensing_raft::{Mastership, Node, NodeConfig, PEER_PREAMBLE};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// Twice the usual lease: a master that was silent for so long would have lost its mastership.
const BLOCKED: Duration = Duration::from_millis(600);

async fn triad(directory: &std::path::Path) -> Vec<Node> {
    let mut listeners = Vec::new();
    let mut text = String::new();
    for _ in Role::ALL {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        text.push_str(&format!("SERVER 127.0.0.1 ANY {}\n", listener.local_addr().unwrap().port()));
        listeners.push(listener);
    }
    text = text.replacen('\n', " PRIMARY_IS_MASTER\n", 1);
    text.push_str("VENDOR demo\nFEATURE f1 demo 1.0 permanent 5 SIGN=0\n");
    let license = License::parse(&text).unwrap();
    let mut nodes = Vec::new();
    for (role, listener) in Role::ALL.into_iter().zip(listeners) {
        let config = NodeConfig::from_license(&license, role, directory.join(role.name())).unwrap();
        let node = Node::start(config).await.unwrap();
        let accepting = node.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, from)) = listener.accept().await {
                let mut preamble = [0; 4];
                stream.read_exact(&mut preamble).await.unwrap();
                assert_eq!(preamble, PEER_PREAMBLE);
                accepting.accept_peer(stream, from.to_string());
            }
        });
        nodes.push(node);
    }
    nodes[0].mastership().wait_for(|now| now.serving).await.unwrap();
    nodes
}

/// Everything that a node says of its mastership until it ends, noted on a thread of its own.
fn noted(node: &Node) -> thread::JoinHandle<Vec<Mastership>> {
    let mut mastership = node.mastership();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async move {
            let mut seen = vec![*mastership.borrow_and_update()];
            while mastership.changed().await.is_ok() {
                seen.push(*mastership.borrow_and_update());
                if seen.last().is_some_and(|now| now.master.is_none()) {
                    break;
                }
            }
            seen
        })
    })
}

/// On one thread: it accepted all connections, and while it is blocked nothing else of the test runs.
#[tokio::test(flavor = "current_thread")]
async fn a_program_that_blocks_its_runtime_keeps_the_mastership() {
    let directory = tempfile::tempdir().unwrap();
    let nodes = triad(directory.path()).await;
    let seen = noted(&nodes[0]);
    for _ in 0..5 {
        thread::sleep(BLOCKED);
        assert!(nodes[0].serves(), "lost while the program was blocked");
        tokio::task::yield_now().await;
    }
    nodes[0].stop(false).await;
    let seen = seen.join().unwrap();
    let (last, before) = seen.split_last().unwrap();
    assert_eq!(last.master, None, "it ends when it is stopped");
    assert!(before.iter().all(|now| now.serving), "{before:?}");
    for node in &nodes[1..] {
        node.stop(false).await;
    }
}

/// Dropped without a word, a node lets go of its directory, and another one can be started on it.
#[tokio::test(flavor = "current_thread")]
async fn a_node_that_is_dropped_ends() {
    let directory = tempfile::tempdir().unwrap();
    let license =
        License::parse("SERVER this_host ANY\nVENDOR demo\nFEATURE f1 demo 1.0 permanent 5 SIGN=0\n")
            .unwrap();
    let config = || NodeConfig::from_license(&license, Role::Primary, directory.path()).unwrap();
    let node = Node::start(config()).await.unwrap();
    let mut mastership = node.mastership();
    mastership.wait_for(|now| now.serving).await.unwrap();
    drop(node);
    while mastership.changed().await.is_ok() {}
    let again = loop {
        match Node::start(config()).await {
            Ok(node) => break node,
            // Its files are closed by its own thread, which is ending.
            Err(licensing_raft::StartError::DataDirectory { .. }) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    };
    again.stop(false).await;
}
