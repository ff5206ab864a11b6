//! `licensing-server demo`, as people see it.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_demo_shows_a_failover_without_a_loss() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_licensing-server"));
    demo.args(["demo", "--json"]);
    let output = timeout(PATIENCE, demo.output()).await.expect("the demo does not end").unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{talk}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["lost"], &summary["double"]), (&0.into(), &0.into()), "{summary}");
    assert!(summary["failover_ms"].is_u64() && summary["handback_ms"].is_u64(), "{summary}");
    assert!(talk.contains("the primary is killed"), "the timeline is talk");
}

#[tokio::test]
async fn servers_end_when_their_parent_is_killed() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_licensing-server"));
    // A killed demo cannot tidy up; the test can.
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = demo.arg("demo").env("TMPDIR", temporary.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let first = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let ports: Vec<u16> =
        first.split_whitespace().filter_map(|word| word.trim_end_matches(',').parse().ok()).collect();
    assert_eq!(ports.len(), 3, "{first}");
    demo.kill().await.unwrap();
    let gone = async {
        while futures_util::future::join_all(
            ports.iter().map(|port| tokio::net::TcpStream::connect(("127.0.0.1", *port))),
        )
        .await
        .iter()
        .any(Result::is_ok)
        {}
    };
    timeout(PATIENCE, gone).await.expect("a server outlives the demo");
}
