//! Notices when the node has stopped by itself, or a part of it, and ends what is left.

use std::sync::Arc;

use crate::peer::known::SETTLED_INTERVAL;
use crate::shared::Shared;
use crate::status::advance;

/// Notices when openraft has stopped by itself: its metrics may go on saying that all is well. And when something has failed
/// that openraft knows nothing of: whoever leads then would keep the others from electing another.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let mut failure = shared.failure.subscribe();
    loop {
        let failed = tokio::time::timeout(SETTLED_INTERVAL, failure.wait_for(Option::is_some)).await.is_ok();
        if shared.is_leaving() {
            return;
        }
        if failed {
            let _ = shared.raft.shutdown().await;
            return;
        }
        if let Err(fatal) = shared.raft.with_raft_state(|_| ()).await {
            shared.failure.fail(format!("replication has stopped: {fatal}"));
        }
        advance::look(&shared);
    }
}
