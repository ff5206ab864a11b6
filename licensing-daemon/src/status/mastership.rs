//! Follows the node's mastership: tells connections and the log who is master, and has the license files installed
//! that are not served yet.

use std::sync::Arc;
use std::time::Duration;

use licensing_client::protocol::MasterAddress;
use licensing_core::event::{Event, EventKind};
use licensing_core::id::Role;
use licensing_core::state::State;
use licensing_raft::Mastership;
use licensing_raft::time::{Instant, sleep_until};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tracing::{error, info, warn};

use crate::license::install;
use crate::server::Server;

/// A quorum that is missing for less is an election or a handover, and no news.
const LOST_AFTER: Duration = Duration::from_secs(1);

/// Runs until its task is aborted or the node stops.
pub(crate) async fn follow_mastership(server: Arc<Server>) {
    let mut mastership = server.node.mastership();
    let mut events = server.node.events();
    let mut log = Log::new(*mastership.borrow());
    let (mut installed, mut refused) = (false, None::<String>);
    loop {
        let now = *mastership.borrow_and_update();
        server.publish(server.whereabouts_of(&now));
        log.master(&server, &now);
        log.quorum(now.quorum);
        let needs_license = now.serving && !installed && refused.is_none();
        let edition = server.node.look(State::edition);
        tokio::select! {
            biased;
            changed = mastership.changed() => if changed.is_err() { return },
            done = install(&server), if needs_license => match done {
                Ok(()) => installed = true,
                // A first license that is refused can never work; beside others, those go on.
                Err(why) if !server.is_licensed() => return server.fail(why),
                Err(why) => {
                    error!("{why}: this license is not served until the file is corrected and read again");
                    // What is raised from here on is heard, and what was raised meanwhile is seen.
                    events = server.node.events();
                    refused = (server.node.look(State::edition) == edition).then_some(why);
                }
            },
            () = sleep_until(log.lost_at()), if log.waits() => log.say_lost(),
            // A license that was too early is not, once its edition applies.
            () = edition_raised(&mut events), if refused.is_some() => refused = None,
        }
    }
}

/// Waits until a newer edition of the rules applies, or may have been missed.
async fn edition_raised(events: &mut broadcast::Receiver<Event>) {
    loop {
        match events.recv().await {
            Ok(Event { kind: EventKind::EditionRaised { .. }, .. }) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
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
                let MasterAddress { host, port, .. } = server.master_address(role);
                let whose = if now.serving { "this server, the " } else { "the " };
                info!("CONNECTED, master is {host}:{port} ({whose}{role})");
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
