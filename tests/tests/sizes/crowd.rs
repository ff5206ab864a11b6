//! Thousands of sessions: a failover keeps them, their end gives everything back.

use std::time::{Duration, Instant};

use Role::{Primary, Secondary, Tertiary};
use futures_util::future::join_all;
use licensing_core::command::{Command, Identity};
use licensing_core::id::{Role, Token};
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use licensing_raft::{NodeConfig, ProposeError};
use licensing_tests::cluster::PATIENCE;

use crate::support::{self, crowd, each, level, long_grace, triad};

const SESSIONS: usize = 5000;
const CHECKOUTS: usize = 20_000;
const FEATURE: &str = "FEATURE crowd demo 1.0 permanent 20000 SIGN=0\n";

/// Proposals a node lets through at a time, as `licensing_raft` has it.
const PROPOSALS: usize = 2048;

/// The heir judges nobody before they were silent for its grace; in this crowd that is 12.5 s.
fn the_heir_has_the_shortest_grace(config: &mut NodeConfig) {
    match config.role {
        Secondary => config.session_grace = Duration::from_secs(6),
        _ => long_grace(config),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_keeps_five_thousand_sessions_and_all_that_fall_silent_at_once_give_everything_back() {
    let cluster = triad(FEATURE, the_heir_has_the_shortest_grace).await;
    let node = cluster.node(Primary);
    let begin = Instant::now();
    crowd(&node, SESSIONS, CHECKOUTS / SESSIONS, "crowd", 0).await;
    eprintln!(
        "{SESSIONS} sessions with {CHECKOUTS} checkouts in {:?}, {}",
        begin.elapsed(),
        support::memory()
    );
    let (handles, in_use) = (cluster.handles(Primary), node.look(seats_out));
    assert_eq!((handles.len(), in_use), (CHECKOUTS, CHECKOUTS as u64));

    cluster.kill(Primary).await;
    cluster.wait_for_master(Secondary).await;
    let heir = cluster.node(Secondary);
    assert_eq!((cluster.handles(Secondary), heir.look(State::session_count)), (handles, SESSIONS));

    let begin = Instant::now();
    cluster.wait_until("all that fell silent are gone", || heir.look(State::session_count) == 0).await;
    eprintln!("all silent sessions ended {:?} after the failover", begin.elapsed());
    assert_eq!(heir.look(seats_out), 0, "seats stayed out without anybody who holds them");
    level(&cluster, Secondary, Tertiary).await;
    // There is room for as many again.
    let again = crowd(&heir, 8, CHECKOUTS / 8 / 100, "crowd", 0).await;
    assert_eq!(heir.look(State::session_count), again.len());
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_sessions_close_at_once() {
    let cluster = triad(FEATURE, long_grace).await;
    let node = cluster.node(Primary);
    let members = crowd(&node, SESSIONS, 1, "crowd", 0).await;
    // More than twice what a node takes at a time: who is told to come back does.
    let begin = Instant::now();
    let closed = join_all(members.iter().map(|member| support::ask(&node, member.close()))).await;
    eprintln!("{SESSIONS} sessions closed in {:?}", begin.elapsed());
    for outcome in closed {
        assert!(matches!(outcome, Outcome::SessionClosed { .. }), "{outcome:?}");
    }
    assert_eq!((node.look(State::session_count), node.look(seats_out)), (0, 0));
    for other in [Secondary, Tertiary] {
        level(&cluster, Primary, other).await;
    }
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_takes_as_many_proposals_as_it_says_and_tells_the_next_to_come_back() {
    let cluster = triad(FEATURE, long_grace).await;
    let node = cluster.node(Primary);
    // Without a quorum nothing is decided, and for the length of a lease the master does not know yet.
    cluster.isolate(Primary);
    let open = |number: usize| {
        let mut token = Token([5; 16]);
        token.0[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let node = node.clone();
        let command = Command::OpenSession { token, identity: Identity::new("ada", "desk"), address: None };
        async move { node.propose(command).await }
    };
    let waiting: Vec<_> = (0..PROPOSALS).map(|number| tokio::spawn(open(number))).collect();
    cluster.wait_until("all places are taken", || node.metrics().proposals == PROPOSALS).await;
    let refused = open(PROPOSALS).await;
    assert!(matches!(refused, Err(ProposeError::Busy { .. })), "{refused:?}");
    cluster.heal_all();
    for asked in waiting {
        let told = tokio::time::timeout(PATIENCE, asked).await.expect("an answer").expect("no panic");
        assert!(!matches!(told, Err(ProposeError::Busy { .. })), "{told:?}");
    }
    assert_eq!(node.metrics().proposals, 0, "places did not come back");
    // All that was under way may have been decided, and what was refused was not.
    cluster.wait_for_master(Primary).await;
    let again = each(0..=PROPOSALS, open).await;
    assert!(again.iter().all(Result::is_ok));
    assert_eq!(node.look(State::session_count), PROPOSALS + 1);
    cluster.shut_down().await;
}

fn seats_out(state: &State) -> u64 {
    state.pools().map(|pool| u64::from(pool.in_use.0)).sum()
}
