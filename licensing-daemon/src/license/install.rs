//! The very first license of a triad: its master installs the file it was started with.

use std::time::Duration;

use licensing_core::outcome::Outcome;
use tracing::{error, info, warn};

use crate::server::Server;

/// Pause before the first license is proposed again, after something other than an answer.
const INSTALL_PAUSE: Duration = Duration::from_millis(50);

/// Installs this server's license file unless the triad has one already.
pub(crate) async fn install(server: &Server) {
    loop {
        match server.node.read().await {
            Ok(state) if state.is_licensed() => return,
            Ok(_) => match server.node.install(server.license().compiled()).await {
                Ok(answer) => match answer.outcome {
                    Outcome::Installed { .. } => return,
                    Outcome::Denied(denial) => {
                        error!("{denial}: nothing is served until the file is corrected and read again");
                        return std::future::pending().await;
                    }
                    other => warn!("unexpected answer to Install: {other:?}"),
                },
                Err(problem) => info!("the license is not installed yet: {problem}"),
            },
            Err(problem) => info!("the license is not installed yet: {problem}"),
        }
        tokio::time::sleep(INSTALL_PAUSE).await;
    }
}
