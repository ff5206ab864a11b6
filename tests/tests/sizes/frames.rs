//! Frames at the limit and one byte beyond it: of clients, of peers, of hellos.

use Role::Primary;
use licensing_client::framing::{FrameError, append_frame, decode_frame, encode_frame};
use licensing_client::protocol::{
    ClientMessage, Hello, MAX_FRAME_BYTES, PREAMBLE, Reply, Request, ServerMessage, Welcome,
};
use licensing_core::codec;
use licensing_core::command::Identity;
use licensing_core::id::{Role, SessionId, Token};
use licensing_core::outcome::{Denial, Outcome};
use licensing_core::state::State;
use licensing_raft::testing::wire::{MAX_PEER_FRAME, read_frames, write_frames};
use licensing_tests::cluster::PATIENCE;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use crate::support::{Served, license_with, long_grace, triad};

const FEATURE: &str = "FEATURE crowd demo 1.0 permanent 10 SIGN=0\n";

/// Longest hello of a client and of a peer, as the daemon and `licensing_raft` have them.
const CLIENT_HELLO: usize = 4096;
const PEER_HELLO: usize = 16 << 10;

/// Bytes of the authentication code in a peer's frame.
const MAC: usize = 16;

/// A request whose content is exactly so long; a user's name is not.
fn sized(id: u64, bytes: usize) -> ClientMessage {
    let named = |length| {
        let identity = Identity::new("u".repeat(length), "desk");
        ClientMessage { id, request: Request::OpenSession { token: Token([1; 16]), identity } }
    };
    let around = codec::to_bytes(&named(bytes / 2)).len() - bytes / 2;
    named(bytes - around)
}

/// A hello whose content is exactly so long.
fn hello(bytes: usize) -> Vec<u8> {
    let around = codec::to_bytes(&Hello::new("s".repeat(bytes / 2))).len() - bytes / 2;
    codec::to_bytes(&Hello::new("s".repeat(bytes - around)))
}

fn framed(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_be_bytes()[..], content].concat()
}

/// The next message of the server; [`None`] when it has closed the connection.
async fn next<T: serde::de::DeserializeOwned>(stream: &mut DuplexStream) -> Option<T> {
    let reading = async {
        let length = stream.read_u32().await.ok()?;
        let mut content = vec![0; length as usize];
        stream.read_exact(&mut content).await.ok()?;
        Some(decode_frame(&content, "answer").expect("the server writes what can be read"))
    };
    timeout(PATIENCE, reading).await.expect("the server answers or closes the connection")
}

async fn greeted(server: &Served, hello: &[u8]) -> (DuplexStream, Option<Welcome>) {
    let mut stream = server.connect();
    stream.write_all(&[&PREAMBLE[..], &framed(hello)].concat()).await.expect("it listens");
    let welcome = next(&mut stream).await;
    (stream, welcome)
}

async fn reply(stream: &mut DuplexStream) -> Option<(u64, Reply)> {
    loop {
        match next(stream).await? {
            ServerMessage::Reply { id, reply } => return Some((id, reply)),
            ServerMessage::Moved(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_frame_of_a_client_is_answered_and_a_longer_one_ends_its_connection_only() {
    let cluster = triad(FEATURE, long_grace).await;
    let node = cluster.node(Primary);
    let server = Served::of(node.clone(), &license_with(FEATURE));
    let (mut stream, welcome) = greeted(&server, &hello(CLIENT_HELLO)).await;
    assert!(matches!(welcome, Some(Welcome::Ready { .. })), "{welcome:?}");

    // The longest frame carries more than a proposal may have: that is said, with both sizes, and nothing is written.
    let before = node.look(State::last_index);
    let longest = encode_frame(&sized(1, MAX_FRAME_BYTES)).expect("it fits");
    assert_eq!(longest.len(), 4 + MAX_FRAME_BYTES);
    stream.write_all(&longest).await.expect("the server reads it");
    let Some((1, Reply::Error(words))) = reply(&mut stream).await else { panic!("another answer") };
    assert!(words.contains("1048576"), "{words}");
    assert_eq!(node.look(State::last_index), before);
    // On the same connection: the longest that can be decided is.
    stream
        .write_all(&encode_frame(&sized(2, MAX_FRAME_BYTES - 64)).expect("it fits"))
        .await
        .expect("it reads");
    let Some((2, Reply::Answer(answer))) = reply(&mut stream).await else { panic!("another answer") };
    assert!(matches!(answer.outcome, Outcome::Denied(Denial::InvalidParameter { .. })), "{answer:?}");

    // One byte more: the library does not send it, and a server does not read it.
    let mut nothing = bytes::BytesMut::new();
    let error = append_frame(&mut nothing, &sized(3, MAX_FRAME_BYTES + 1)).unwrap_err();
    assert!(matches!(error, FrameError::Unsendable { bytes, limit } if bytes == limit + 1), "{error}");
    assert!(error.to_string().contains("1048577") && error.to_string().contains("1048576"), "{error}");
    let too_long = framed(&codec::to_bytes(&sized(3, MAX_FRAME_BYTES + 1)));
    // It may be closed before all of it is written.
    let _ = stream.write_all(&too_long).await;
    assert_eq!(reply(&mut stream).await, None, "a frame beyond the limit was answered");
    // Whoever comes anew is served.
    let (mut stream, _) = greeted(&server, &hello(64)).await;
    let heartbeat = Request::Heartbeat { session: SessionId(u64::MAX), token: Token([0; 16]) };
    let frame = encode_frame(&ClientMessage { id: 4, request: heartbeat }).expect("it fits");
    stream.write_all(&frame).await.expect("it reads");
    assert_eq!(reply(&mut stream).await, Some((4, Reply::Gone)));

    let (_, welcome) = greeted(&server, &hello(CLIENT_HELLO + 1)).await;
    assert_eq!(welcome, None, "a hello beyond the limit was answered");
    cluster.shut_down().await;
}

#[test]
fn the_longest_frame_of_a_peer_is_read_and_a_longer_one_is_refused_with_the_limit() {
    let small = vec![7; 100];
    for (key, most) in [(None, MAX_PEER_FRAME), (Some([3; 32]), MAX_PEER_FRAME - MAC)] {
        for bytes in [most - 1, most] {
            let content = vec![1; bytes];
            let stream = write_frames(&[content.clone(), small.clone()], key);
            let (read, why) = read_frames(&stream, key, false);
            assert_eq!(read, [content, small.clone()], "{bytes} bytes: {why}");
        }
    }
    let longer = [framed(&vec![1; MAX_PEER_FRAME + 1]), framed(&small)].concat();
    check_refused(&longer, false, MAX_PEER_FRAME);
    let hello = framed(&vec![1; PEER_HELLO]);
    assert_eq!(read_frames(&hello, None, true).0, [vec![1; PEER_HELLO]]);
    check_refused(&framed(&vec![1; PEER_HELLO + 1]), true, PEER_HELLO);
}

fn check_refused(stream: &[u8], hello: bool, limit: usize) {
    let (read, why) = read_frames(stream, None, hello);
    assert!(read.is_empty(), "{} frames of {limit} bytes and one were read", read.len());
    assert!(why.contains(&limit.to_string()), "{why}");
}
