//! What the documentation of a node says of certainty, resending, dropped futures and the end, sentence by sentence.

use licensing_core::command::{Command, Identity};
use licensing_core::id::{RequestId, Role, SessionId, Token};
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use licensing_raft::{AdminAction, ClientAction, ProposeError, SessionError, Wanted};
use licensing_tests::cluster::Cluster;

use Role::{Primary, Secondary, Tertiary};

const TOKEN: Token = Token([7; 16]);

fn ada() -> Identity {
    let host = "cad-17".to_owned();
    Identity { user: "ada".to_owned(), host, display: ":0".to_owned(), pid: 7, project: String::new() }
}

fn open() -> Command {
    Command::OpenSession { token: TOKEN, identity: ada(), address: None }
}

fn one_seat() -> ClientAction {
    ClientAction::Checkout(Wanted::feature("f1"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_token_gives_the_same_session_while_it_lives_and_a_number_its_first_answer() {
    let cluster = Cluster::started("").await;
    let node = cluster.node(Primary);
    let session = node.open_session(TOKEN, ada(), None).await.unwrap();
    let first = session.call(RequestId(1), one_seat()).await.unwrap();
    assert!(matches!(first.outcome, Outcome::Granted { .. }), "{first:?}");
    let again = node.open_session(TOKEN, ada(), None).await.unwrap();
    assert_eq!(again.id(), session.id());
    assert_eq!(again.call(RequestId(1), one_seat()).await.unwrap(), first);
    again.close().await.unwrap();
    assert_eq!(session.alive().await, Err(SessionError::Gone));
    assert_eq!(session.call(RequestId(2), one_seat()).await, Err(SessionError::Gone));
    let other = node.open_session(TOKEN, ada(), None).await.unwrap();
    assert_ne!(other.id(), session.id());
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_future_takes_nothing_back() {
    let cluster = Cluster::started("").await;
    let node = cluster.node(Primary);
    let is_open = || node.look(|state: &State| state.sessions().count() == 1);
    let proposing = node.propose(open());
    let mut proposing = Box::pin(proposing);
    assert!(futures_util::poll!(&mut proposing).is_pending(), "it is proposed");
    drop(proposing);
    cluster.wait_until("it is decided all the same", is_open).await;
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_master_and_whoever_has_stopped_does_nothing() {
    let cluster = Cluster::started("").await;
    let [primary, secondary] = [Primary, Secondary].map(|role| cluster.node(role));
    assert_eq!(secondary.propose(open()).await, Err(ProposeError::NotMaster { master: Some(Primary) }));
    primary.stop(false).await;
    assert_eq!(primary.propose(open()).await, Err(ProposeError::NotMaster { master: None }));
    assert_eq!(primary.read().await.map(drop), Err(ProposeError::NotMaster { master: None }));
    assert_eq!(primary.hand_over().await, Err(ProposeError::NotMaster { master: None }.into()));
    cluster.wait_for_master(Secondary).await;
    assert_eq!(secondary.read().await.unwrap().sessions().count(), 0);
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_forgets_the_signs_of_life_of_whoever_was_invented() {
    let cluster = Cluster::started("").await;
    let standby = cluster.node(Secondary);
    for invented in 0..10_000 {
        standby.touch(SessionId(invented));
    }
    cluster.wait_until("they are forgotten", || standby.metrics().heard_of == 0).await;
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mastership_is_handed_over_by_the_node_and_for_good_by_administrators() {
    let cluster = Cluster::started("PRIMARY_IS_MASTER").await;
    let primary = cluster.node(Primary);
    assert_eq!(primary.hand_over().await, Ok(Secondary));
    // It is wanted as master, and gets it back.
    cluster.wait_for_master(Primary).await;
    let session = primary.open_session(TOKEN, ada(), None).await.unwrap();
    let prefer = AdminAction::PreferMaster { role: Some(Secondary) };
    session.administer(RequestId(1), prefer).await.unwrap();
    cluster.wait_for_master(Secondary).await;
    assert_eq!(primary.address_of(Secondary), primary.config().servers.get(1));
    for gone in [Primary, Tertiary] {
        cluster.kill(gone).await;
    }
    // It may have been a moment too early to know, and then it was not taken.
    assert!(cluster.node(Secondary).hand_over().await.is_err(), "nobody is there");
    cluster.shut_down().await;
}
