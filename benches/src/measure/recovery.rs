//! How long a server needs to be of use again: after a crash with its disk, with an empty one, and when all three crash
//! together.

use std::time::Duration;

use anyhow::{Context, bail};
use licensing_client::protocol::{StatusFilter, StatusPage};
use licensing_client::{Direct, TcpDial};
use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use serde::Serialize;
use tokio::time::{Instant, sleep};

/// Between two looks; a status without checkouts is made in less than a millisecond.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Several times what is wanted: what takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a server was down before it is started again: the others have gone on meanwhile.
const DOWN: Duration = Duration::from_millis(500);

/// One return, counted from the start of the process.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Return {
    /// Until its store was open and its port answered.
    pub ready_ms: f64,
    /// Until it had applied all that the master had applied, as a full member. For three at once: until the primary
    /// served.
    pub caught_up_ms: f64,
    /// Snapshots it took from another server. More than one means that the log had gone on, and had been cut off, before
    /// the first was installed.
    pub snapshots_taken: usize,
}

/// What a server logs when it has a whole snapshot of another one.
const TAKEN: &str = "installing a snapshot";

/// What a server says of the triad, without the checkouts.
pub async fn status(triad: &LocalTriad, role: Role) -> anyhow::Result<StatusPage> {
    let filter = StatusFilter { feature: None, without_checkouts: true };
    let mut direct = Direct::connect(&triad.address(role), &TcpDial).await?;
    direct.status_all(filter).await.with_context(|| format!("the {role} does not say its status"))
}

/// Kills a standby and starts it again with the disk it had.
pub async fn restart(triad: &mut LocalTriad, role: Role) -> anyhow::Result<Return> {
    triad.kill(role);
    sleep(DOWN).await;
    start(triad, role).await
}

/// Kills a standby and starts it again with an empty data directory.
pub async fn replace_disk(triad: &mut LocalTriad, role: Role) -> anyhow::Result<Return> {
    triad.kill(role);
    let directory = triad.data_directory(role);
    std::fs::remove_dir_all(&directory).with_context(|| format!("cannot empty {}", directory.display()))?;
    sleep(DOWN).await;
    start(triad, role).await
}

/// Kills all three and starts them at the same time.
pub async fn restart_all(triad: &mut LocalTriad) -> anyhow::Result<Return> {
    Role::ALL.into_iter().for_each(|role| triad.kill(role));
    sleep(DOWN).await;
    let begun = Instant::now();
    triad.restart_all().await?;
    let ready_ms = millis(begun);
    triad.wait_until_master(Role::Primary).await?;
    Ok(Return { ready_ms, caught_up_ms: millis(begun), snapshots_taken: 0 })
}

async fn start(triad: &mut LocalTriad, role: Role) -> anyhow::Result<Return> {
    let taken = |triad: &LocalTriad| triad.log(role).matches(TAKEN).count();
    let taken_before = taken(triad);
    let begun = Instant::now();
    triad.restart(role).await?;
    let ready_ms = millis(begun);
    while !is_caught_up(triad, role).await? {
        if begun.elapsed() > PATIENCE {
            bail!("the {role} has not caught up within {PATIENCE:?} after its start");
        }
        sleep(LOOK_PAUSE).await;
    }
    let caught_up_ms = millis(begun);
    Ok(Return { ready_ms, caught_up_ms, snapshots_taken: taken(triad) - taken_before })
}

/// Whether it has applied what the master had applied a moment before, and is a full member.
async fn is_caught_up(triad: &LocalTriad, role: Role) -> anyhow::Result<bool> {
    let newest = status(triad, Role::Primary).await?.applied_index;
    let page = status(triad, role).await?;
    let own =
        page.servers.iter().find(|server| server.role == role).context("a status without its own server")?;
    Ok(page.applied_index >= newest && own.remark.is_none())
}

fn millis(begun: Instant) -> f64 {
    (begun.elapsed().as_secs_f64() * 1e4).round() / 10.0
}
