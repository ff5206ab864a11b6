//! Follows installs: a server looks at its own license file again when the triad has got a new license.

use std::sync::Arc;

use licensing_client::license_file::LicenseFile;
use licensing_core::event::{Event, EventKind};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::spawn_blocking;

use crate::server::Server;

/// Looks at this server's own file again whenever a license is installed, until the node stops: an administrator who
/// put the same file on all three is then not told that they differ.
pub(crate) async fn follow_installs(server: Arc<Server>) {
    let mut events = server.node.events();
    loop {
        match events.recv().await {
            Ok(Event { kind: EventKind::LicenseInstalled { .. }, .. }) | Err(RecvError::Lagged(_)) => {
                let server = server.clone();
                // Cut short only by the end of the runtime, which is the end of this task too.
                let _ = spawn_blocking(move || look_again(&server)).await;
            }
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn look_again(server: &Server) {
    for known in server.licenses() {
        // A file that cannot be read now leaves the old one in place: it differs, and the status says so.
        if let Ok(file) = LicenseFile::read(&known.path)
            && file.license.triad_identity() == server.identity
        {
            server.set_license(file);
        }
    }
}
