//! A standby that passes a connection on to the master, for clients that can reach only a load balancer.

use std::time::Duration;

use licensing_client::framing::encode_frame;
use licensing_client::protocol::{Hello, PREAMBLE};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use crate::port::wire::Wire;
use crate::server::Server;

/// How long the master has to accept: it was heard from within the last lease.
const DIAL_DEADLINE: Duration = Duration::from_secs(1);

/// A connection to the master with the client's hello on it; `None` when this server is the master, knows none, or
/// cannot reach it, and the client is better served here with the truth.
pub(crate) async fn to_master(server: &Server, hello: &Hello) -> Option<TcpStream> {
    let whereabouts = server.whereabouts();
    if whereabouts.is_master() {
        return None;
    }
    let master = whereabouts.master?;
    let relayed = Hello {
        from: hello.from,
        to: hello.to,
        software: format!("{}; relayed by the {}", hello.software, server.role),
        // The master answers itself or not at all: two servers that each take the other for the master must not
        // send a connection to and fro.
        relay: false,
        relayed_by: Some(server.role),
        more: hello.more.clone(),
    };
    let dialing = async {
        let mut stream = TcpStream::connect((master.host.as_str(), master.port)).await?;
        stream.set_nodelay(true)?;
        let mut bytes = PREAMBLE.to_vec();
        bytes.extend_from_slice(&encode_frame(&relayed).map_err(std::io::Error::other)?);
        stream.write_all(&bytes).await?;
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
pub(crate) async fn pipe<S: Wire>(server: &Server, mut client: S, mut master: TcpStream) {
    let mut closing = server.watch_closing();
    let mut whereabouts = server.watch_whereabouts();
    let begun_with = whereabouts.borrow_and_update().master.clone();
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut master) => {}
        _ = closing.wait_for(|closing| *closing) => {}
        _ = whereabouts.wait_for(|whereabouts| whereabouts.master != begun_with) => {}
    }
}
