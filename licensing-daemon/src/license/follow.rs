//! Follows installs: a server looks at its own license file again when the triad has got a new license.

use std::sync::Arc;

use licensing_client::license_file::LicenseFile;
use licensing_core::event::{Event, EventKind};
use tokio::sync::broadcast::error::RecvError;

use crate::server::Server;

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
