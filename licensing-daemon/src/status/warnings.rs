//! What an administrator should know: told in every status, and in the log when it is new.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use licensing_client::license_file::LicenseFile;
use licensing_core::event::{Event, EventKind};
use licensing_core::state::State;
use licensing_raft::time::{sleep, timeout};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tracing::warn;

use crate::license::{NO_FILE, fingerprint, without_file};
use crate::server::Server;

/// Between an install and the look at what is odd then: the other servers and files follow within that.
const AFTER_INSTALL: Duration = Duration::from_secs(2);

/// How long something odd may go unnoticed that no install has brought: comparing long licenses takes milliseconds.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// All of them, one sentence each.
pub(super) fn all(server: &Server, state: &State) -> Vec<String> {
    let mut warnings = server.node.warnings();
    let files = server.licenses();
    warnings.extend(
        without_file(state, &files).map(|vendor| {
            format!("the {} has no license file for vendor `{vendor}`: {NO_FILE}", server.role)
        }),
    );
    warnings.extend(files.iter().filter_map(|file| file.unapplied()));
    for file in files {
        if state.is_licensed() && state.license(file.vendor()).is_none() {
            warnings.push(not_served(server, state, &file));
        }
        if let Some(installed) = state.license(file.vendor())
            && installed.text() != file.text
            && fingerprint(installed.license()) != fingerprint(&file.license)
        {
            warnings.push(format!(
                "the license file of the {} ({}) differs from the license that is served: put the right file there \
                 and let the master read it again with `licensectl reread`",
                server.role,
                file.path.display()
            ));
        }
    }
    warnings
}

/// Its vendor may come at any moment, when the master has its file too.
fn not_served(server: &Server, state: &State, file: &LicenseFile) -> String {
    let served: Vec<&str> = state.licenses().map(|(vendor, _)| vendor).collect();
    format!(
        "vendor `{}` of the license file of the {} ({}) is not served, only {}: put the file on the master, and let it read \
         it with `licensectl reread`",
        file.vendor(),
        server.role,
        file.path.display(),
        served.join(", ")
    )
}

/// Logs what is new, until the node stops: looked at after each install, and now and then, for a state may come as a snapshot
/// and a file may change. What the node itself has to say, it logs itself.
pub(crate) async fn tell(server: Arc<Server>) {
    let mut events = server.node.events();
    let of_the_node: BTreeSet<String> = server.node.warnings().into_iter().collect();
    let mut told = BTreeSet::new();
    loop {
        sleep(AFTER_INSTALL).await;
        let state = server.node.state();
        let all = if state.is_licensed() { all(&server, &state) } else { Vec::new() };
        let now: BTreeSet<String> =
            all.into_iter().filter(|warning| !of_the_node.contains(warning)).collect();
        for warning in now.difference(&told) {
            warn!("{warning}");
        }
        // What went away is told again when it comes back.
        told = now;
        if timeout(LOOK_AGAIN, installed(&mut events)).await == Ok(false) {
            return;
        }
    }
}

/// Waits for an install; `false` when the node has stopped.
async fn installed(events: &mut broadcast::Receiver<Event>) -> bool {
    loop {
        match events.recv().await {
            Ok(Event { kind: EventKind::LicenseInstalled { .. }, .. }) | Err(RecvError::Lagged(_)) => {
                return true;
            }
            Ok(_) => {}
            Err(RecvError::Closed) => return false,
        }
    }
}
