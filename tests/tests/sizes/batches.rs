//! Entries and batches of entries at the limits, and a wire that is slow for them.

use std::time::Instant;

use Role::{Primary, Secondary, Tertiary};
use licensing_core::command::{Command, Identity, Proposal};
use licensing_core::id::{Role, Timestamp, Token};
use licensing_core::outcome::{Denial, Outcome};
use licensing_core::state::State;
use licensing_raft::{Node, Pieces, ProposeError};
use licensing_tests::cluster::{Cluster, license};
use licensing_tests::compiled;

use crate::support::{ask, level, long_grace, triad};

/// Largest proposal, as `licensing_raft` has it.
const PROPOSAL: usize = 1 << 20;

const FEATURE: &str = "FEATURE crowd demo 1.0 permanent 10 SIGN=0\n";

/// A command that makes a proposal of exactly so many bytes, and is denied: a user's name is not that long.
fn sized(bytes: usize) -> Command {
    let named = |length| {
        let identity = Identity::new("u".repeat(length), "desk");
        Command::OpenSession { token: Token([1; 16]), identity, address: None }
    };
    // A time of today is as long as one of tomorrow.
    let length =
        |command: &Command| Proposal { at: Timestamp(1 << 41), command: command.clone() }.to_bytes().len();
    let around = length(&named(bytes / 2)) - bytes / 2;
    let command = named(bytes - around);
    assert_eq!(length(&command), bytes);
    command
}

async fn write(node: &Node, bytes: usize) {
    let outcome = ask(node, sized(bytes)).await;
    assert!(
        matches!(outcome, Outcome::Denied(Denial::InvalidParameter { .. })),
        "{bytes} bytes: {outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_entries_and_the_fullest_batches_reach_a_server_that_lags() {
    let cluster = triad(FEATURE, long_grace).await;
    let node = cluster.node(Primary);
    let batch = Pieces::default().read_bytes;
    assert_eq!(batch, 2 * PROPOSAL, "two of the longest entries fill a batch to the byte");

    let before = node.look(State::last_index);
    let refused = node.propose(sized(PROPOSAL + 1)).await;
    assert_eq!(refused, Err(ProposeError::TooLarge { bytes: PROPOSAL + 1, limit: PROPOSAL }));
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("1048577") && words.contains("1048576"), "{words}");
    assert_eq!(node.look(State::last_index), before, "what is too long is not written");

    cluster.isolate(Tertiary);
    // Exactly a batch; a byte less; a byte more, whose last entry is left for the next; and more than fits into one.
    let exact = [PROPOSAL, PROPOSAL];
    let below = [PROPOSAL, PROPOSAL - 1];
    let above = [PROPOSAL, PROPOSAL - 1000, 1001];
    let many = [batch / 8; 20];
    let mut written = 0;
    for bytes in exact.into_iter().chain(below).chain(above).chain(many) {
        write(&node, bytes).await;
        written += bytes;
    }
    eprintln!("{written} bytes of entries");
    cluster.heal_all();
    level(&cluster, Primary, Tertiary).await;
    let lagged = cluster.node(Tertiary);
    assert_eq!(lagged.counts().snapshots_installed, 0, "the log was to bring it up to date");

    // Entries that are longer than a file of the journal are read back.
    for role in Role::ALL {
        cluster.kill(role).await;
    }
    for role in Role::ALL {
        cluster.start(role).await;
    }
    cluster.wait_for_master(Primary).await;
    for other in [Secondary, Tertiary] {
        level(&cluster, Primary, other).await;
    }
    cluster.shut_down().await;
}

/// A connection that carries 32 Mbit/s, over which the longest entry takes a quarter of a second, and the fullest batch half a one.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_a_slow_wire_is_brought_up_to_date() {
    let cluster = Cluster::new("PRIMARY_IS_MASTER");
    cluster.start_all().await;
    let node = cluster.node(Primary);
    cluster.isolate(Tertiary);
    for _ in 0..4 {
        write(&node, PROPOSAL).await;
    }
    cluster.slow(Primary, Tertiary, 4 << 20);
    cluster.slow(Secondary, Tertiary, 4 << 20);
    cluster.heal_all();
    level(&cluster, Primary, Tertiary).await;
    cluster.shut_down().await;
}

/// Servers that are 8 Mbit/s apart: a part of a license takes a quarter of a second on its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_license_is_installed_over_slow_wires() {
    let cluster = Cluster::new("PRIMARY_IS_MASTER");
    cluster.start_all().await;
    let node = cluster.node(Primary);
    for from in Role::ALL {
        for to in from.others() {
            cluster.slow(from, to, 1 << 20);
        }
    }
    let comments = format!("#{}\n", "x".repeat(60_000)).repeat(10);
    let begin = Instant::now();
    let installed = node.install(compiled(&(license("PRIMARY_IS_MASTER") + &comments))).await;
    eprintln!("a license of {} bytes in {:?}", comments.len(), begin.elapsed());
    let installed = installed.expect("an answer");
    assert!(matches!(installed.outcome, Outcome::Installed { .. }), "{installed:?}");
    for other in [Secondary, Tertiary] {
        level(&cluster, Primary, other).await;
    }
    cluster.shut_down().await;
}
