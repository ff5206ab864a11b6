//! Notices when the engine has stopped by itself.

use std::sync::Arc;

use crate::peer::known::SETTLED_INTERVAL;
use crate::shared::Shared;

/// Notices when openraft has stopped by itself: its metrics may go on saying that all is well.
pub(crate) async fn watch(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(SETTLED_INTERVAL).await;
        if shared.is_leaving() {
            return;
        }
        if let Err(fatal) = shared.raft.with_raft_state(|_| ()).await {
            return shared.fail(format!("replication has stopped: {fatal}"));
        }
    }
}
