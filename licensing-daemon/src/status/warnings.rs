//! What an administrator should know: told in every status, and in the log when it is new.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use licensing_client::license_file::LicenseFile;
use licensing_core::event::{Event, EventKind};
use licensing_core::state::State;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;
use tracing::warn;

use crate::license::{NO_FILE, fingerprint, without_file};
use crate::server::Server;

/// Between an install and the look at what is odd then: the other servers and files follow within that.
const AFTER_INSTALL: Duration = Duration::from_secs(2);

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

/// Logs what is new after each install, until the node stops. What the node itself has to say, it logs itself.
pub(crate) async fn tell(server: Arc<Server>) {
    let mut events = server.node.events();
    let mut told: BTreeSet<String> = server.node.warnings().into_iter().collect();
    loop {
        sleep(AFTER_INSTALL).await;
        let state = server.node.state();
        let now = all(&server, &state).into_iter().filter(|_| state.is_licensed());
        for warning in now.collect::<Vec<_>>() {
            if told.insert(warning.clone()) {
                warn!("{warning}");
            }
        }
        loop {
            match events.recv().await {
                Ok(Event { kind: EventKind::LicenseInstalled { .. }, .. }) | Err(RecvError::Lagged(_)) => {
                    break;
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}
