//! Vendor data in a triad: it survives what seats survive, reaches a server that lost its disk, and sleeps until its edition.

use Role::{Primary, Secondary, Tertiary};
use licensing_core::edition::Edition;
use licensing_core::id::{LogIndex, RequestId, Role, SessionId, Token};
use licensing_core::outcome::{Denial, Outcome};
use licensing_core::state::State;
use licensing_raft::{ClientAction, Identity, Node, NodeConfig, ProposeError, Session, SessionError, Wanted};
use licensing_tests::cluster::Cluster;

const TOKEN: Token = Token([9; 16]);
const KEY: &str = "quota";

async fn session(node: &Node) -> Session {
    node.open_session(TOKEN, Identity::new("ada", "desk"), None).await.unwrap()
}

fn wanted() -> ClientAction {
    ClientAction::Checkout(Wanted::feature("f1").vendor_data("render farm"))
}

/// The session's data, that of its only checkout, the triad's value.
fn kept(state: &State, session: SessionId) -> (Vec<u8>, Vec<Vec<u8>>, Option<Vec<u8>>) {
    let checkouts = state.checkouts_of(session).map(|checkout| checkout.vendor_data.to_vec());
    let value = state.triad_value(KEY).map(|(value, _)| value.to_vec());
    (state.vendor_data(session).to_vec(), checkouts.collect(), value)
}

fn frequent_snapshots(config: &mut NodeConfig) {
    (config.snapshot_every, config.log_kept) = (20, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_survives_a_failover_and_comes_to_a_server_that_lost_its_disk() {
    let cluster = Cluster::new("").configure(frequent_snapshots);
    cluster.start_all().await;
    let node = cluster.node(Primary);
    cluster.wait_until("the rules allow it", || node.upgrade().edition == Edition::NEWEST).await;
    let ada = session(&node).await;
    let answer = ada.call(RequestId(1), wanted()).await.unwrap();
    assert!(matches!(answer.outcome, Outcome::Granted { .. }), "{answer:?}");
    let set = ClientAction::SetVendorData { handle: None, data: b"ada's".to_vec() };
    ada.call(RequestId(2), set).await.unwrap();
    let first = node.set_triad_data(KEY, Some(b"12".to_vec()), Some(LogIndex(0))).await.unwrap();
    assert_eq!(first.outcome, Outcome::VendorDataSet { set_at: Some(first.index) });
    let expected = (b"ada's".to_vec(), vec![b"render farm".to_vec()], Some(b"12".to_vec()));
    assert_eq!(kept(&node.read().await.unwrap(), ada.id()), expected);

    cluster.stop(Primary).await;
    cluster.wait_for_master(Secondary).await;
    let heir = cluster.node(Secondary);
    assert_eq!(kept(&heir.read().await.unwrap(), ada.id()), expected);
    // Whoever has not seen what was set meanwhile is told.
    let late = heir.set_triad_data(KEY, Some(b"13".to_vec()), Some(LogIndex(0))).await.unwrap();
    let changed = Denial::VendorDataChanged { key: KEY.to_owned(), set_at: Some(first.index) };
    assert_eq!(late.outcome, Outcome::Denied(changed));

    // What was in the log is in a snapshot by now.
    for request in 3..60 {
        session(&heir)
            .await
            .call(RequestId(request), ClientAction::SetVendorData { handle: None, data: b"ada's".to_vec() })
            .await
            .unwrap();
    }
    std::fs::remove_dir_all(cluster.directory(Primary)).unwrap();
    cluster.start(Primary).await;
    let wiped = cluster.node(Primary);
    cluster.wait_until("it is there again", || wiped.look(|state| kept(state, ada.id())) == expected).await;
    assert!(wiped.counts().snapshots_installed > 0);
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_edition_it_is_refused_and_nothing_is_written() {
    let cluster = Cluster::new("").configure(|config| config.known_edition = Edition::SEVERAL_VENDORS);
    cluster.start_all().await;
    let node = cluster.node(Primary);
    let ada = session(&node).await;
    cluster.wait_until("the rules are as new as they get", || node.upgrade().edition == Edition(2)).await;
    let sleeps = ProposeError::NeedsEdition { needed: Edition(3), applied: Edition(2) };
    let before = node.look(State::last_index);
    let refused = [
        ada.call(RequestId(1), wanted()).await.unwrap_err(),
        node.set_triad_data(KEY, None, None).await.unwrap_err().into(),
    ];
    assert_eq!(refused, [SessionError::Propose(sleeps.clone()), SessionError::Propose(sleeps)]);
    assert_eq!(node.look(State::last_index), before, "nothing was proposed");
    // The number is still free.
    let answer = ada.call(RequestId(1), ClientAction::Checkout(Wanted::feature("f1"))).await.unwrap();
    assert!(matches!(answer.outcome, Outcome::Granted { .. }), "{answer:?}");
    assert_eq!(cluster.node(Tertiary).upgrade().edition, Edition(2));
    cluster.shut_down().await;
}
