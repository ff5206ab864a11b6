//! Follows the node's mastership: tells connections and the log who is master, and installs the license file when a
//! new triad has none.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::command::Command;
use licensing_core::outcome::Outcome;
use licensing_raft::Mastership;
use tracing::{error, info, warn};

use crate::server::Server;

/// Pause before the first license is proposed again, after something other than an answer.
const INSTALL_PAUSE: Duration = Duration::from_millis(50);

/// Runs until its task is aborted or the node stops.
pub(crate) async fn follow(server: Arc<Server>) {
    let mut mastership = server.node.mastership();
    let mut last: Option<Mastership> = None;
    loop {
        let now = *mastership.borrow_and_update();
        let standing = server.standing_of(&now);
        server.publish(standing);
        log(&server, last.as_ref(), &now);
        let needs_license = now.serving && !server.is_licensed();
        last = Some(now);
        tokio::select! {
            changed = mastership.changed() => if changed.is_err() { return },
            () = install(&server), if needs_license => {}
        }
    }
}

/// Installs this server's license file unless the triad has one already.
async fn install(server: &Server) {
    loop {
        match server.node.read().await {
            Ok(state) if state.license().is_some() => return,
            Ok(_) => {
                match server.node.propose(Command::Install { license: server.license().text.clone() }).await {
                    Ok(answer) => match answer.outcome {
                        Outcome::Installed { .. } => return,
                        Outcome::Denied(denial) => {
                            error!("{denial}: nothing is served until the file is corrected and read again");
                            return std::future::pending().await;
                        }
                        other => warn!("unexpected answer to Install: {other:?}"),
                    },
                    Err(problem) => info!("the license is not installed yet: {problem}"),
                }
            }
            Err(problem) => info!("the license is not installed yet: {problem}"),
        }
        tokio::time::sleep(INSTALL_PAUSE).await;
    }
}

/// In the words of three-server redundancy (FLEXnet License Administration Guide, Informational Messages).
fn log(server: &Server, last: Option<&Mastership>, now: &Mastership) {
    if last.is_some_and(|last| last == now) {
        return;
    }
    match (last.is_none_or(|last| last.quorum), now.quorum) {
        (true, false) if last.is_some() => warn!("Lost quorum"),
        (false, true) => info!("quorum is back"),
        _ => {}
    }
    let known = |mastership: &Mastership| (mastership.master, mastership.serving);
    if last.map(known) == Some(known(now)) {
        return;
    }
    match now.master {
        Some(role) if role == server.role && now.serving => {
            info!("CONNECTED, master is {} (this server, {role})", server.addresses[role.place()].host)
        }
        Some(role) if role == server.role => info!("this server leads and does not serve yet"),
        Some(role) => info!("CONNECTED, master is {} ({role})", server.addresses[role.place()].host),
        None if last.is_some() => info!("no master"),
        None => {}
    }
}
