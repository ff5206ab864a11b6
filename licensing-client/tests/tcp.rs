//! The whole client over real TCP, against a master that grants everything.

#[path = "scripted/fake.rs"]
mod fake;

use std::time::Duration;

use fake::{ADMIN_KEY, fake_master};
use licensing_client::protocol::{Reply, Request, StatusFilter};
use licensing_client::{
    AdminKey, Client, ClientConfig, ConnectError, Direct, RequestError, SearchPath, ServerAddress, TcpDial,
};
use licensing_core::command::Action;
use licensing_core::id::{Role, SessionId};
use licensing_core::outcome::Outcome;

#[tokio::test]
async fn a_session_from_beginning_to_end() {
    let server = fake_master().await.unwrap();
    let client = Client::connect(ClientConfig::new(SearchPath::server(server.clone()))).await.unwrap();
    assert_eq!((client.session(), client.server()), (SessionId(1), Some(server)));
    let seats = client.checkout("editor").version("2.0").seats(2).await.unwrap();
    let again = client.checkout("editor").await.unwrap();
    assert!(again.index() > seats.index());
    assert_eq!((seats.seats().0, again.seats().0), (2, 1));
    let handle = seats.handle();
    assert_eq!(seats.checkin().await.unwrap().outcome, Outcome::Returned { handle });
    let page = client.status(StatusFilter::default()).await.unwrap();
    assert_eq!(page.checkouts.iter().map(|checkout| checkout.handle.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(page.more, None);
    let clone = client.clone();
    client.close().await.unwrap();
    assert_eq!(clone.checkout("editor").await.unwrap_err(), RequestError::Closed);
    drop(again);
}

#[tokio::test]
async fn a_thousand_requests_at_once_are_all_answered() {
    let server = fake_master().await.unwrap();
    let client = Client::connect(ClientConfig::new(SearchPath::server(server))).await.unwrap();
    let asking: Vec<_> = (0..1000).map(|_| tokio::spawn(client.checkout("editor").send())).collect();
    let mut handles = Vec::new();
    for asked in asking {
        handles.push(asked.await.unwrap().unwrap().detach());
    }
    handles.sort_unstable();
    handles.dedup();
    assert_eq!(handles.len(), 1000);
}

#[tokio::test]
async fn administrators_prove_their_key() {
    let server = fake_master().await.unwrap();
    let maintain = Action::Maintain { role: Role::Secondary, on: true };
    let plain = ClientConfig::new(SearchPath::server(server));
    let client = Client::connect(plain.clone()).await.unwrap();
    let error = client.call(maintain.clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "maintenance of the secondary was refused: only administrators may do that"
    );
    let admin = {
        let mut config = plain;
        config.admin_key = Some(AdminKey::from_bytes(ADMIN_KEY));
        config
    };
    let client = Client::connect(admin).await.unwrap();
    let answer = client.call(maintain).await.unwrap();
    assert_eq!(answer.outcome, Outcome::Maintained { role: Role::Secondary, on: true });
}

#[tokio::test]
async fn one_server_can_be_asked_directly() {
    let server = fake_master().await.unwrap();
    let mut direct = Direct::connect(&server, &TcpDial).await.unwrap();
    assert!(direct.welcome().whereabouts.is_master());
    assert_eq!(direct.server(), &server);
    let page = direct.status_all(StatusFilter::default()).await.unwrap();
    assert_eq!(page.checkouts.len(), 3);
    assert!(matches!(direct.request(Request::Reread).await, Ok(Reply::Error(_))));
    let error = direct.authenticate(&AdminKey::from_bytes([0; 32])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{server} refused the proof of the admin key: only administrators may do that")
    );
    assert_eq!(
        direct.authenticate(&AdminKey::from_bytes(ADMIN_KEY)).await.unwrap(),
        "welcome, administrator"
    );
    assert_eq!(direct.request(Request::Reread).await.unwrap(), Reply::Done("done".to_owned()));
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_names_everybody() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = ServerAddress::new("127.0.0.1", listener.local_addr().unwrap().port());
    drop(listener);
    let config = ClientConfig::new(SearchPath::server(server.clone()));
    let config = {
        let mut config = config;
        config.connect_timeout = Duration::from_millis(200);
        config
    };
    let error = Client::connect(config).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoMaster { waited_ms: 200, .. }));
    let text = error.to_string();
    let expected = format!(
        "no license server answered as master within 200 ms: {server} cannot be reached: Connection refused"
    );
    assert!(text.starts_with(&expected), "{text}");
}
