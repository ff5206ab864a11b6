//! Who may administer, and the administrators' request that needs files: reading the license again.
//!
//! An administrator is whoever asks from this machine, or proves knowledge of the admin key. Everybody else gets a
//! refusal that says so, and a line in the log.

use std::sync::Arc;

use licensing_client::protocol::Reply;
use licensing_core::command::Command;
use licensing_core::event::{Event, EventKind};
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use tokio::sync::broadcast::error::RecvError;
use tracing::{info, warn};

use crate::client_port::propose_error;
use crate::license_file::LicenseFile;
use crate::render::counted;
use crate::server::{Far, Server};

/// Wrong proofs accepted on one connection before it is not listened to any more: a person who mistook a file tries
/// twice.
const MAX_WRONG_PROOFS: u32 = 3;

/// Changes named in the answer to a reread; a file with ten thousand lines must not fill the terminal.
const MAX_CHANGES: usize = 20;

/// What a connection may do.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    allowed: bool,
    challenge: [u8; 32],
    wrong_proofs: u32,
}

impl Admin {
    /// `local`: the far end is this machine.
    pub(crate) fn new(local: bool, challenge: [u8; 32]) -> Admin {
        Admin { allowed: local, challenge, wrong_proofs: 0 }
    }

    /// Judges a proof of the admin key.
    pub(crate) fn authenticate(&mut self, server: &Server, proof: &[u8; 32], from: Far) -> Reply {
        let Some(key) = &server.admin_key else {
            return Reply::Error("this server has no admin key: start it with --admin-key FILE".to_owned());
        };
        if self.wrong_proofs >= MAX_WRONG_PROOFS {
            return Reply::Error("too many wrong proofs on this connection: connect again".to_owned());
        }
        if !key.verifies(&self.challenge, proof) {
            self.wrong_proofs += 1;
            warn!(%from, "wrong proof of the admin key");
            return Reply::Error("wrong admin key: use the key this server was started with".to_owned());
        }
        self.allowed = true;
        Reply::Done("you are an administrator on this connection".to_owned())
    }

    /// Whether this may be asked here; otherwise the refusal, which is logged.
    pub(crate) fn check(&self, server: &Server, what: &str, from: Far) -> Result<(), Reply> {
        if self.allowed {
            return Ok(());
        }
        warn!(%from, "refused to a stranger: {what}");
        let how = match server.admin_key {
            Some(_) => "ask over the loopback, or with licensectl --admin-key FILE",
            None => "ask over the loopback, or start the servers with --admin-key FILE",
        };
        Err(Reply::Error(format!("you are not an administrator of this server: {how}")))
    }
}

/// Reads the license file again and serves what it says (`lmreread`).
pub(crate) async fn reread(server: &Server) -> Reply {
    let standing = server.standing();
    if !standing.is_master() {
        return Reply::NotMaster(standing);
    }
    let path = server.license().path.clone();
    let read = tokio::task::spawn_blocking(move || LicenseFile::read(&path)).await;
    let file = match read {
        Ok(Ok(file)) => file,
        Ok(Err(problem)) => return Reply::Error(problem.to_string()),
        Err(problem) => return Reply::Error(format!("reading the license file was cut short: {problem}")),
    };
    let found = file.license.triad_identity();
    if found != server.identity {
        return Reply::Error(format!(
            "{} is for another triad ({found}), this is {}: the host ids of the SERVER lines and the vendor cannot be \
             changed while the servers run",
            file.path.display(),
            server.identity
        ));
    }
    let before = match server.node.read().await {
        Ok(state) => state,
        Err(problem) => return propose_error(server, problem),
    };
    if before.license().is_some_and(|installed| *installed.text == *file.text) {
        server.set_license(file);
        return Reply::Done("nothing changed".to_owned());
    }
    info!("Rereading license file {}", file.path.display());
    match server.node.propose(Command::Install { license: file.text.clone() }).await {
        Err(problem) => propose_error(server, problem),
        Ok(answer) => match answer.outcome {
            Outcome::Installed { .. } => {
                let mut words = changes(&before, &server.node.state());
                if addresses(&file) != addresses(&server.license()) {
                    words.push(
                        "SERVER lines changed: they count when the servers are started again".to_owned(),
                    );
                }
                server.set_license(file);
                Reply::Done(words.join("\n"))
            }
            Outcome::Denied(denial) => Reply::Error(denial.to_string()),
            other => Reply::Error(format!("unexpected answer to Install: {other:?}")),
        },
    }
}

/// Looks at this server's own file again whenever a license is installed, until the node stops: an administrator who
/// put the same file on all three is then not told that they differ.
pub(crate) async fn follow_installs(server: Arc<Server>) {
    let mut events = server.node.events();
    loop {
        match events.recv().await {
            Ok(Event { kind: EventKind::LicenseInstalled { .. }, .. }) | Err(RecvError::Lagged(_)) => {
                let path = server.license().path.clone();
                // A file that cannot be read now leaves the old one in place: it differs, and the status says so.
                if let Ok(Ok(file)) = tokio::task::spawn_blocking(move || LicenseFile::read(&path)).await
                    && file.license.triad_identity() == server.identity
                {
                    server.set_license(file);
                }
            }
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn addresses(file: &LicenseFile) -> Vec<(&str, Option<u16>)> {
    file.license.servers.iter().map(|server| (server.host.as_str(), server.port)).collect()
}

/// What an administrator should know about the difference, one sentence each.
pub(crate) fn changes(before: &State, after: &State) -> Vec<String> {
    let seats = |state: &State, id| state.pools().find(|pool| pool.id == id).map(|pool| pool.licensed);
    let amount = |licensed: Option<licensing_core::id::Seats>| match licensed {
        Some(seats) => counted(u64::from(seats.0), "seat"),
        None => "uncounted".to_owned(),
    };
    let mut changes = Vec::new();
    for pool in after.pools() {
        let name = format!("{} v{}", pool.feature, pool.version);
        match seats(before, pool.id) {
            None => changes.push(format!("{name}: new, {}", amount(pool.licensed))),
            Some(old) if old != pool.licensed => {
                changes.push(format!("{name}: {} instead of {}", amount(pool.licensed), amount(old)));
            }
            Some(_) => {}
        }
    }
    for pool in before.pools().filter(|pool| seats(after, pool.id).is_none()) {
        changes.push(format!("{} v{}: gone", pool.feature, pool.version));
    }
    if changes.is_empty() {
        changes.push("installed, seats unchanged".to_owned());
    }
    if changes.len() > MAX_CHANGES {
        let more = changes.len() - MAX_CHANGES;
        changes.truncate(MAX_CHANGES);
        changes.push(format!("and {}", counted(more as u64, "more change")));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use licensing_core::command::Proposal;
    use licensing_core::id::{LogIndex, Timestamp};

    fn state(states: &[&str]) -> Vec<State> {
        let mut state = State::new();
        let install = |(index, features): (usize, &&str)| {
            let license = format!("SERVER a ANY 27001\nVENDOR demo\n{features}");
            let proposal =
                Proposal { at: Timestamp(1_790_288_165_000), command: Command::Install { license } };
            state.apply(LogIndex(index as u64 + 1), &proposal);
            state.clone()
        };
        states.iter().enumerate().map(install).collect()
    }

    #[test]
    fn a_reread_says_what_changed() {
        let states = state(&[
            "FEATURE f1 demo 1.0 permanent 10 SIGN=0\nFEATURE f2 demo 2.5 permanent 3 SIGN=0\n",
            "FEATURE f1 demo 1.0 permanent 12 SIGN=0\nFEATURE f3 demo 1.0 permanent 1 SIGN=0\n",
        ]);
        assert_eq!(
            changes(&states[0], &states[1]),
            ["f1 v1.0: 12 seats instead of 10 seats", "f3 v1.0: new, 1 seat", "f2 v2.5: gone"]
        );
        assert_eq!(changes(&states[0], &states[0]), ["installed, seats unchanged"]);
    }

    #[test]
    fn a_long_list_of_changes_is_cut() {
        let many: String =
            (0..30).map(|number| format!("FEATURE g{number} demo 1.0 permanent 1 SIGN=0\n")).collect();
        let states = state(&["FEATURE f1 demo 1.0 permanent 10 SIGN=0\n", &many]);
        let changes = changes(&states[0], &states[1]);
        assert_eq!(changes.len(), MAX_CHANGES + 1);
        assert_eq!(changes.last().unwrap(), "and 11 more changes");
    }
}
