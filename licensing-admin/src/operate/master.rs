//! Waiting for a master.

use std::time::Duration;

use licensing_client::ServerAddress;
use licensing_core::id::Role;
use tokio::time::{Instant, sleep};

use super::servers::{Servers, without_checkouts};

/// Between two looks at a triad that is expected to change: a handover takes a few milliseconds.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Where the expected master is; the last master seen, when it does not come in time.
pub async fn wait_for_master(
    servers: &Servers,
    expected: impl Fn(Role) -> bool,
) -> Result<ServerAddress, Option<Role>> {
    let deadline = Instant::now() + servers.timeout;
    let filter = without_checkouts();
    loop {
        let survey = servers.survey(&filter).await;
        let page = survey.page.as_ref();
        // Only a master's own word counts: a standby may still tell of the one before.
        let own = page.and_then(|page| page.master.filter(|master| *master == page.answered_by));
        match (own.filter(|role| expected(*role)), survey.master()) {
            (Some(_), Some(master)) => return Ok(master.name.clone()),
            _ if Instant::now() >= deadline => return Err(page.and_then(|page| page.master)),
            _ => sleep(LOOK_PAUSE).await,
        }
    }
}
