//! A server that does not keep to the protocol: its connection is closed, and the client goes on elsewhere.

mod scripted;

use licensing_client::protocol::{Reply, ServerMessage};
use licensing_client::{ClientEvent, Direct};
use licensing_core::id::{LogIndex, Role};
use scripted::{Stage, address, connected};
use tokio::io::AsyncReadExt;

use Role::{Primary, Secondary};

/// What the server sends, and what the client says about it.
async fn disconnects(bytes: &[u8], says: &str) {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], path) = stage.triad();
    let (client, peer) = connected(&stage, &mut primary, path).await;
    let mut events = client.events();
    events.recv().await.unwrap();
    let mut rest = peer.write_raw(bytes).await;
    secondary.accept(Some(Secondary)).await.heartbeat().await;
    let event = events.recv().await.unwrap();
    assert!(matches!(&event, ClientEvent::Disconnected { reason } if reason == says), "{event:?}");
    assert!(rest.read_to_end(&mut Vec::new()).await.is_ok(), "the client did not hang up");
}

#[tokio::test(start_paused = true)]
async fn four_gigabytes_are_not_waited_for() {
    let says = "1@primary: a frame of more than 1048576 bytes was announced: the far end does not speak this protocol";
    disconnects(&[0xff; 8], says).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_is_no_message_ends_the_connection() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], path) = stage.triad();
    let (client, peer) = connected(&stage, &mut primary, path).await;
    let mut events = client.events();
    events.recv().await.unwrap();
    peer.write_raw(&[0, 0, 0, 3, 0xfa, 0xfa, 0xfa]).await;
    secondary.accept(Some(Secondary)).await.heartbeat().await;
    let ClientEvent::Disconnected { reason } = events.recv().await.unwrap() else { panic!("no disconnect") };
    assert!(reason.starts_with("1@primary: malformed server message: "), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_frame_with_something_left_over_ends_the_connection() {
    let message = ServerMessage::Reply { id: 1, reply: Reply::Gone };
    let mut payload = licensing_core::codec::to_bytes(&message);
    payload.push(0);
    let mut bytes = vec![0, 0, 0, payload.len() as u8];
    bytes.extend(payload);
    disconnects(&bytes, "1@primary: malformed server message: 1 bytes too many").await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_wrong_kind_ends_the_connection() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let mut events = client.events();
    events.recv().await.unwrap();
    let asking = tokio::spawn(client.checkout("a").send());
    let call = peer.call().await;
    peer.reply(call.id, Reply::Alive { index: LogIndex(1), heartbeat_ms: 3000 }).await;
    let mut peer = secondary.accept(Some(Secondary)).await;
    peer.heartbeat().await;
    let again = peer.call().await;
    assert_eq!(again.request, 1);
    peer.grant(&again, 5).await;
    asking.await.unwrap().unwrap().detach();
    let event = events.recv().await.unwrap();
    let says = "1@primary answered a numbered request with a sign that the session lives: its version may be \
                incompatible";
    assert!(matches!(&event, ClientEvent::Disconnected { reason } if reason == says), "{event:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_nothing_is_passed_over() {
    let stage = Stage::new();
    let ([mut primary, ..], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    peer.reply(4711, Reply::Gone).await;
    peer.heartbeat().await;
    assert_eq!(client.server(), Some(address(Primary)));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_welcome_is_silent() {
    let stage = Stage::new();
    let ([mut primary, ..], _) = stage.triad();
    let dial = stage.clone();
    let asking = tokio::spawn(async move { Direct::connect(&address(Primary), &*dial).await });
    let _stream = primary.accept_silently().await;
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "1@primary was silent for 1000 ms while the welcome was awaited");
}
