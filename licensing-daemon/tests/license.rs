//! The license of a running triad: read again, followed by the servers that did not read it.

mod support;

use std::fmt::Write;

use licensing_client::protocol::{Reply, Request};
use licensing_core::id::Role;
use support::{FEATURES, Raw, TestTriad, wait_until};

/// Enough lines that a comparison takes longer than a look at another file.
const LINES: usize = 2_000;

fn features(seats: usize) -> String {
    (0..LINES).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "FEATURE g{number} demo 1.0 permanent {seats} SIGN=0");
        text
    })
}

/// The master follows its own install too, and may have read the new file before it compares it with the old one.
#[tokio::test(flavor = "multi_thread")]
async fn changed_server_lines_are_told_each_time() {
    let triad = TestTriad::start(FEATURES, |_| {}).await;
    let path = triad.directory.path().join("a.lic");
    let servers: Vec<String> =
        std::fs::read_to_string(&path).unwrap().lines().take(3).map(str::to_owned).collect();
    let mut raw = Raw::connect(triad.address(Role::Primary)).await;
    for round in 1..=10 {
        // Not where it is: a place that clients would be sent to after a restart.
        let third = format!("SERVER 127.0.0.1 ANY {}", 30_000 + round);
        let text = format!("{}\n{}\n{third}\nVENDOR demo\n{}", servers[0], servers[1], features(round));
        std::fs::write(&path, text).unwrap();
        let words = wait_until("a reread", async || match raw.ask(Request::Reread).await {
            Reply::Done(words) => Some(words),
            // So many lines may cost a master on a slow machine its lease.
            Reply::NotMaster(_) => None,
            other => panic!("{other:?}"),
        })
        .await;
        assert!(
            words.ends_with("SERVER lines changed: they count when the servers are started again"),
            "{words}"
        );
    }
}
