//! A standby that passes a connection on to the master, for clients that can reach only a load balancer.

use std::time::Duration;

use licensing_client::framing::encode_frame;
use licensing_client::protocol::{Hello, MAX_HELLO_BYTES, PREAMBLE};
use licensing_raft::ServerAddress;
use licensing_raft::environment::Stream;
use licensing_raft::time::timeout;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tracing::debug;

use crate::port::wire::Wire;
use crate::server::Server;

/// What stands in front of a frame.
const LENGTH_BYTES: usize = 4;

/// How long the master has to accept: it was heard from within the last lease.
const DIAL_DEADLINE: Duration = Duration::from_secs(1);

/// So many bytes of a program's name are passed on, as many as of any name that is shown: a client's hello may be as long as a
/// hello may be, and what a standby adds must find room in it.
const MAX_SOFTWARE: usize = licensing_core::command::MAX_NAME_BYTES;

/// A connection to the master with the client's hello on it; `None` when this server is the master, knows none, or
/// cannot reach it, or has no room for its own words in the hello, and the client is better served here with the truth.
pub(crate) async fn to_master(server: &Server, hello: &Hello) -> Option<Box<dyn Stream>> {
    let whereabouts = server.whereabouts();
    if whereabouts.is_master() {
        return None;
    }
    let master = whereabouts.master?;
    let name = &hello.software[..hello.software.floor_char_boundary(MAX_SOFTWARE)];
    let relayed = Hello {
        from: hello.from,
        to: hello.to,
        software: format!("{name}; relayed by the {}", server.role),
        // The master answers itself or not at all: two servers that each take the other for the master must not
        // send a connection to and fro.
        relay: false,
        relayed_by: Some(server.role),
        more: hello.more.clone(),
    };
    let frame = encode_frame(&relayed).ok()?;
    if frame.len() > LENGTH_BYTES + MAX_HELLO_BYTES {
        debug!(master = %master.role, "cannot relay: the client's hello is as long as any may be");
        return None;
    }
    let dialing = async {
        let mut stream = server.node.connect(&ServerAddress::new(master.host.as_str(), master.port)).await?;
        stream.write_all(&[&PREAMBLE[..], &frame].concat()).await?;
        Ok::<_, std::io::Error>(stream)
    };
    match timeout(DIAL_DEADLINE, dialing).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            debug!(master = %master.role, "cannot relay: {error}");
            None
        }
        Err(_) => {
            debug!(master = %master.role, "cannot relay: no answer within {DIAL_DEADLINE:?}");
            None
        }
    }
}

/// Copies both ways until either side closes, the master is another one, or this server stops. The client then
/// connects again and is led to the new master.
pub(crate) async fn pipe<S: Wire>(server: &Server, mut client: S, mut master: Box<dyn Stream>) {
    let mut closing = server.watch_closing();
    let mut whereabouts = server.watch_whereabouts();
    let begun_with = whereabouts.borrow_and_update().master.clone();
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut master) => {}
        _ = closing.wait_for(|closing| *closing) => {}
        _ = whereabouts.wait_for(|whereabouts| whereabouts.master != begun_with) => {}
    }
}
