//! Who is master, watched without a pause: a connection to every server, which is told of each change at once
//! ([`ServerMessage::Moved`]). A look every now and then would miss a master that comes back within a lease.

use anyhow::{Context, bail};
use licensing_client::connection::Connection;
use licensing_client::protocol::{Hello, ServerMessage, Whereabouts};
use licensing_client::{ServerAddress, TcpDial};
use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What every raw connection of a bench says first.
pub async fn open(server: &ServerAddress) -> anyhow::Result<Connection> {
    let hello = Hello::new("bench");
    Ok(Connection::open(&TcpDial, server, &hello).await?)
}

/// A change that one server told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who told it.
    pub told_by: Role,
    /// The new master, `None` for none; or why this server tells nothing more.
    pub master: Result<Option<Role>, String>,
}

/// Listens to all three servers until it ends.
#[derive(Debug)]
pub struct StandingWatch {
    changes: watch::Receiver<Vec<Change>>,
    // Ends with the watch.
    _listeners: JoinSet<()>,
}

impl StandingWatch {
    /// Begins to listen. Fails unless all three servers name this master at the beginning.
    pub async fn begin(triad: &LocalTriad, master: Role) -> anyhow::Result<StandingWatch> {
        let (sender, changes) = watch::channel(Vec::new());
        let mut listeners = JoinSet::new();
        for role in Role::ALL {
            let connection = open(&triad.address(role)).await;
            let connection = connection.with_context(|| format!("cannot watch the {role}"))?;
            let whereabouts = &connection.ready().whereabouts;
            if named(whereabouts) != Some(master) {
                bail!(
                    "the {role} names {:?} as master, not the {master}: is this machine too busy?",
                    named(whereabouts)
                );
            }
            listeners.spawn(listen(role, connection, sender.clone()));
        }
        Ok(StandingWatch { changes, _listeners: listeners })
    }

    /// What was told since the beginning.
    pub fn changes(&self) -> Vec<Change> {
        self.changes.borrow().clone()
    }
}

fn named(whereabouts: &Whereabouts) -> Option<Role> {
    whereabouts.master.as_ref().map(|master| master.role)
}

async fn listen(told_by: Role, mut connection: Connection, changes: watch::Sender<Vec<Change>>) {
    loop {
        let told = connection.next().await;
        let master = match told {
            Ok(ServerMessage::Moved(standing)) => Ok(named(&standing)),
            Ok(ServerMessage::Reply { .. }) => continue,
            Err(problem) => Err(problem.to_string()),
        };
        let ends = master.is_err();
        changes.send_modify(|changes| changes.push(Change { told_by, master }));
        if ends {
            return;
        }
    }
}
