//! The network does to bytes what it is told, and nothing else: the tests that rely on it could not tell.

use super::*;
use std::io::ErrorKind;

use Role::{Primary, Secondary, Tertiary};

/// A connection from the primary to the secondary, both ends of it, over a network of its own.
struct Call {
    network: Network,
    servers: [TcpListener; 3],
    near: TcpStream,
    far: TcpStream,
}

async fn call() -> Call {
    let network = Network::new(7).await.unwrap();
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let servers = [bind().await.unwrap(), bind().await.unwrap(), bind().await.unwrap()];
    network.lead_to(servers.each_ref().map(|server| server.local_addr().unwrap().port()));
    let mut near = dial(&network).await;
    let mut far = servers[1].accept().await.unwrap().0;
    // What has arrived proves that the wire itself knows of both ends.
    near.write_all(b"hello").await.unwrap();
    arrives(&mut far, "hello").await;
    Call { network, servers, near, far }
}

async fn dial(network: &Network) -> TcpStream {
    let port = network.port(End::Server(Primary), Secondary);
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap()
}

async fn arrives(stream: &mut TcpStream, expected: &str) {
    let mut found = vec![0; expected.len()];
    stream.read_exact(&mut found).await.unwrap();
    assert_eq!(String::from_utf8(found).unwrap(), expected);
}

/// Waits until the wires have stopped something.
async fn stopped(network: &Network, what: fn(Tally) -> u64) {
    crate::process::wait_until("a piece is stopped", async || (what(network.tally()) > 0).then_some(()))
        .await;
}

async fn is_reset(stream: &mut TcpStream) {
    let error = stream.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn bytes_pass_in_both_directions_and_an_end_is_an_end() {
    let Call { mut near, mut far, network, .. } = call().await;
    near.write_all(b"there").await.unwrap();
    arrives(&mut far, "there").await;
    far.write_all(b"back").await.unwrap();
    arrives(&mut near, "back").await;
    near.shutdown().await.unwrap();
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    // The other direction is open still.
    far.write_all(b"bye").await.unwrap();
    arrives(&mut near, "bye").await;
    assert_eq!(network.tally(), Tally { connections: 1, ..Tally::default() });
}

#[tokio::test]
async fn held_bytes_arrive_when_the_network_heals() {
    let Call { mut near, mut far, network, .. } = call().await;
    network.say(Primary, Secondary, Flow::Held);
    near.write_all(b"late").await.unwrap();
    // One direction only.
    far.write_all(b"in time").await.unwrap();
    arrives(&mut near, "in time").await;
    stopped(&network, |tally| tally.held).await;
    assert_eq!(far.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    network.heal();
    arrives(&mut far, "late").await;
}

/// What the secondary says to the primary also travels on connections the primary has dialed.
#[tokio::test]
async fn an_answer_is_cut_with_the_direction_it_goes() {
    let Call { mut near, mut far, network, .. } = call().await;
    network.say(Secondary, Primary, Flow::Held);
    near.write_all(b"in time").await.unwrap();
    arrives(&mut far, "in time").await;
    far.write_all(b"late").await.unwrap();
    stopped(&network, |tally| tally.held).await;
    assert_eq!(near.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    network.heal();
    arrives(&mut near, "late").await;
}

#[tokio::test]
async fn a_connection_that_has_lost_bytes_is_reset_when_the_network_heals() {
    let Call { mut near, mut far, network, .. } = call().await;
    network.around(Secondary, Flow::Vanishes);
    near.write_all(b"gone").await.unwrap();
    stopped(&network, |tally| tally.vanished).await;
    network.heal();
    is_reset(&mut far).await;
    is_reset(&mut near).await;
}

#[tokio::test]
async fn a_new_connection_waits_for_both_directions() {
    let Call { network, servers, .. } = call().await;
    network.say(Secondary, Primary, Flow::Held);
    let mut near = dial(&network).await;
    near.write_all(b"hello").await.unwrap();
    // A wire beside it is free: what comes over it shows that time has passed for all.
    network.pair(Primary, Tertiary, Flow::FREE);
    let beside = network.port(End::Server(Tertiary), Secondary);
    let mut other = TcpStream::connect((Ipv4Addr::LOCALHOST, beside)).await.unwrap();
    other.write_all(b"other").await.unwrap();
    arrives(&mut servers[1].accept().await.unwrap().0, "other").await;
    network.heal();
    arrives(&mut servers[1].accept().await.unwrap().0, "hello").await;
}

#[tokio::test]
async fn a_reset_and_a_lost_connection_are_seen_by_both_ends() {
    let Call { mut near, mut far, network, .. } = call().await;
    for place in 0..9 {
        network.reset(place);
    }
    is_reset(&mut near).await;
    is_reset(&mut far).await;
    network.lose(100);
    is_reset(&mut dial(&network).await).await;
    assert_eq!(network.tally().resets, 2);
}

#[tokio::test]
async fn a_slow_wire_is_slow_in_order() {
    let Call { mut near, mut far, network, .. } = call().await;
    let least = Duration::from_millis(20);
    network.pair(Primary, Secondary, Flow::Passes(Delay { least, more: least }));
    for round in 0..5 {
        let begun = Instant::now();
        for word in ["one", "two"] {
            near.write_all(word.as_bytes()).await.unwrap();
        }
        arrives(&mut far, "onetwo").await;
        assert!(begun.elapsed() >= least, "round {round}: {:?}", begun.elapsed());
    }
}
