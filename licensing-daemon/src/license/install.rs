//! The first licenses: the master installs the files it was started with, for every vendor that is not served yet.

use std::sync::Arc;
use std::time::Duration;

use licensing_client::license_file::LicenseFile;
use licensing_core::outcome::{Denial, Outcome};
use tracing::{info, warn};

use crate::server::Server;

/// Pause before a license is proposed again, after something other than an answer.
const INSTALL_PAUSE: Duration = Duration::from_millis(50);

/// Installs the files of vendors that are not served yet.
///
/// Fails when the servers say no to one, which will not change by asking again.
pub(crate) async fn install(server: &Server) -> Result<(), String> {
    for file in server.licenses() {
        while !install_one(server, &file).await? {
            licensing_raft::time::sleep(INSTALL_PAUSE).await;
        }
    }
    Ok(())
}

/// Whether the file's vendor is served now; `false` when nobody could say.
async fn install_one(server: &Server, file: &Arc<LicenseFile>) -> Result<bool, String> {
    match server.node.read().await {
        Ok(state) if state.license(file.vendor()).is_some() => return Ok(true),
        Ok(_) => {}
        Err(problem) => {
            info!("the license is not installed yet: {problem}");
            return Ok(false);
        }
    }
    match server.node.install(file.compiled()).await {
        Ok(answer) => match answer.outcome {
            Outcome::Installed { .. } => Ok(true),
            // Disturbed again and again: it may go better in a moment.
            Outcome::Denied(denial @ Denial::PartsMissing { .. }) => {
                info!("the license is not installed yet: {denial}");
                Ok(false)
            }
            Outcome::Denied(denial) => Err(format!("{}: {denial}", file.path.display())),
            other => {
                warn!("unexpected answer to Install: {other:?}");
                Ok(false)
            }
        },
        Err(problem) => {
            info!("the license is not installed yet: {problem}");
            Ok(false)
        }
    }
}
