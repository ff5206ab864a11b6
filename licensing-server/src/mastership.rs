//! Follows the node's mastership: tells connections and the log who is master, and installs the license file when a
//! new triad has none.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::command::Command;
use licensing_core::id::Role;
use licensing_core::outcome::Outcome;
use licensing_raft::Mastership;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use crate::server::Server;

/// Pause before the first license is proposed again, after something other than an answer.
const INSTALL_PAUSE: Duration = Duration::from_millis(50);

/// A quorum that is missing for less is an election or a handover, and no news.
const LOST_AFTER: Duration = Duration::from_secs(1);

/// Runs until its task is aborted or the node stops.
pub(crate) async fn follow(server: Arc<Server>) {
    let mut mastership = server.node.mastership();
    let mut log = Log::new(*mastership.borrow());
    loop {
        let now = *mastership.borrow_and_update();
        server.publish(server.standing_of(&now));
        log.master(&server, &now);
        log.quorum(now.quorum);
        let needs_license = now.serving && !server.is_licensed();
        tokio::select! {
            biased;
            changed = mastership.changed() => if changed.is_err() { return },
            () = install(&server), if needs_license => {}
            () = sleep_until(log.lost_at()), if log.waits() => log.say_lost(),
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

/// What was logged last, in the words of three-server redundancy (FLEXnet License Administration Guide,
/// Informational Messages).
struct Log {
    master: (Option<Role>, bool),
    quorum: Quorum,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quorum {
    /// Before the first one.
    NotYet,
    There,
    MissingSince(Instant),
    Lost,
}

impl Log {
    fn new(now: Mastership) -> Log {
        Log { master: (None, false), quorum: if now.quorum { Quorum::There } else { Quorum::NotYet } }
    }

    fn master(&mut self, server: &Server, now: &Mastership) {
        let known = (now.master, now.serving);
        if self.master == known {
            return;
        }
        self.master = known;
        match now.master {
            Some(role) => {
                let host = &server.addresses[role.place()].host;
                let whose = if now.serving { "this server, the " } else { "the " };
                info!("CONNECTED, master is {host} ({whose}{role})");
            }
            None => info!("no master at the moment"),
        }
    }

    fn quorum(&mut self, is_there: bool) {
        self.quorum = match (self.quorum, is_there) {
            (Quorum::Lost, true) => {
                info!("quorum is back");
                Quorum::There
            }
            (Quorum::There, false) => Quorum::MissingSince(Instant::now()),
            (_, true) => Quorum::There,
            (quorum, false) => quorum,
        };
    }

    fn waits(&self) -> bool {
        matches!(self.quorum, Quorum::MissingSince(_))
    }

    fn lost_at(&self) -> Instant {
        match self.quorum {
            Quorum::MissingSince(since) => since + LOST_AFTER,
            _ => Instant::now() + LOST_AFTER,
        }
    }

    fn say_lost(&mut self) {
        warn!("Lost quorum: fewer than two servers hear each other, nothing is served");
        self.quorum = Quorum::Lost;
    }
}
