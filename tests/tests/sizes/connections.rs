//! As many connections as a server takes, and the next.

use Role::Primary;
use futures_util::{StreamExt, stream};
use licensing_client::framing::{FrameReader, encode_frame};
use licensing_client::protocol::{Hello, PREAMBLE, Refusal, Welcome};
use licensing_core::id::Role;
use licensing_daemon::Limits;
use licensing_tests::cluster::PATIENCE;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use crate::support::{Served, license_with, long_grace, memory, triad};

const FEATURE: &str = "FEATURE crowd demo 1.0 permanent 10 SIGN=0\n";

async fn welcomed(server: &Served) -> (DuplexStream, Welcome) {
    let mut stream = server.connect();
    let hello = encode_frame(&Hello::new("sizes")).expect("a hello fits");
    stream.write_all(&[&PREAMBLE[..], &hello].concat()).await.expect("it listens");
    let mut reader = FrameReader::new(stream);
    let welcome = timeout(PATIENCE, reader.next("welcome")).await.expect("it answers");
    let welcome = welcome.expect("a frame").expect("a welcome or a refusal");
    (reader.into_inner(), welcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_connections_as_there_may_be_are_welcomed_and_a_place_that_is_left_is_taken_again() {
    let cluster = triad(FEATURE, long_grace).await;
    let server = Served::of(cluster.node(Primary), &license_with(FEATURE));
    let limit = Limits::default().connections;
    let begin = std::time::Instant::now();
    let mut connections: Vec<DuplexStream> = stream::iter(0..limit)
        .map(async |number| match welcomed(&server).await {
            (stream, Welcome::Ready { .. }) => stream,
            (_, refused) => panic!("connection {number} of {limit}: {refused:?}"),
        })
        .buffer_unordered(500)
        .collect()
        .await;
    eprintln!("{limit} connections in {:?}, {}", begin.elapsed(), memory());

    let full = Welcome::Refused(Refusal::TooManyConnections { limit: limit as u32 });
    for _ in 0..3 {
        assert_eq!(welcomed(&server).await.1, full);
    }
    // Peers are not counted: the triad goes on.
    cluster.wait_for_master(Primary).await;
    drop(connections.pop());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let taken = loop {
        match welcomed(&server).await {
            (stream, Welcome::Ready { .. }) => break stream,
            (_, refused) => assert_eq!(refused, full),
        }
        assert!(tokio::time::Instant::now() < deadline, "the place of a connection that ended is not free");
    };
    assert_eq!(welcomed(&server).await.1, full, "one ended, and two took its place");
    drop(taken);
    cluster.shut_down().await;
}
