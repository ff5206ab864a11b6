//! A challenge is for one connection, once.

use std::collections::BTreeSet;

use licensing_client::protocol::{Reply, Request};
use licensing_daemon::Limits;

use crate::askers::relayed;
use crate::site::{LONG, Site, key};
use crate::support::Raw;

/// Enough that one of sixteen bits would come again.
const MANY: usize = 1500;

#[tokio::test(flavor = "multi_thread")]
async fn no_challenge_comes_twice_not_even_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (mut seen, mut proof) = (BTreeSet::new(), None);
    for start in 1..=2 {
        let site = Site::on(directory.path(), LONG, Limits::default()).await;
        // What was good before the restart is not now.
        if let Some(proof) = proof {
            let mut raw = Raw::connect_as(site.address, relayed("thief")).await;
            assert!(matches!(raw.ask(Request::Authenticate { proof }).await, Reply::Error(_)));
        }
        for _ in 0..MANY {
            let raw = Raw::connect_as(site.address, relayed("collector")).await;
            seen.insert(raw.challenge());
        }
        assert_eq!(seen.len(), start * MANY, "a challenge came again");
        let mut raw = Raw::connect_as(site.address, relayed("administrator")).await;
        let said = key().proof(&raw.challenge());
        assert!(matches!(raw.ask(Request::Authenticate { proof: said }).await, Reply::Done(_)));
        proof = Some(said);
        site.stop().await;
    }
    // Nor is one the other's with a counter in it: every byte takes many values.
    for place in 0..32 {
        let values: BTreeSet<u8> = seen.iter().map(|challenge| challenge[place]).collect();
        assert!(values.len() > 128, "byte {place} takes only {} values", values.len());
    }
}
