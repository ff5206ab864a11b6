//! Stopping servers.

use std::time::Duration;

use licensing_client::names::Names;
use licensing_client::protocol::{Reply, Request};
use licensing_client::{Direct, ServerAddress, TcpDial};
use tokio::time::{Instant, sleep};

use super::servers::Servers;
use crate::survey::{SeenServer, ask};

/// Between two looks at a server that is stopping: it takes some milliseconds.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// The master last, so that nobody takes over from it meanwhile.
pub fn standbys_first(servers: &[SeenServer]) -> Vec<&SeenServer> {
    let mut order: Vec<&SeenServer> = servers.iter().collect();
    order.sort_by_key(|server| server.status.as_ref().is_some_and(|status| status.master));
    order
}

/// Why a server was not stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum StopProblem {
    /// There is none.
    NotRunning,
    /// It answered that it will not.
    Refused(String),
    /// It could not be asked, or does not stop.
    Unknown(String),
}

/// Stops one server without a handover and waits until its port is closed.
pub async fn stop(servers: &Servers, server: &ServerAddress) -> Result<(), StopProblem> {
    let connecting = Direct::connect(server, &TcpDial).await;
    let mut direct = connecting.map_err(|error| match ask::problem(&error) {
        problem if problem.is_refused() => StopProblem::NotRunning,
        problem => StopProblem::Unknown(problem.to_string()),
    })?;
    if let Some(key) = &servers.admin_key {
        direct.authenticate(key).await.map_err(|error| StopProblem::Refused(error.to_string()))?;
    }
    match direct.request(Request::Shutdown { hand_over: false }).await {
        Ok(Reply::Done(_)) => {}
        Ok(Reply::Error(why)) => return Err(StopProblem::Refused(why)),
        Ok(other) => return Err(StopProblem::Unknown(format!("unexpected answer: {other:?}"))),
        Err(error) => return Err(StopProblem::Unknown(error.to_string())),
    }
    drop(direct);
    let deadline = Instant::now() + servers.timeout;
    loop {
        match Names::of_the_user().connect(server).await {
            Err(_) => return Ok(()),
            Ok(_) if Instant::now() >= deadline => {
                return Err(StopProblem::Unknown("still answers, though it said that it stops".to_owned()));
            }
            Ok(_) => sleep(LOOK_PAUSE).await,
        }
    }
}
