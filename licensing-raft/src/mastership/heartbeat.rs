//! When a leader sends heartbeats. openraft would look every fifth of the interval whether one is due, on every server;
//! those looks were half of what an idle server did.

use std::sync::Arc;

use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;

use crate::engine::looks;
use crate::shared::Shared;

/// Sends a heartbeat every interval while this server leads, until the node ends.
pub(crate) async fn send(shared: Arc<Shared>) {
    let metrics = shared.raft.metrics();
    loop {
        looks::next(shared.started, shared.config.timings.heartbeat()).await;
        let leads = metrics.borrow_watched().state == ServerState::Leader;
        // An engine that has stopped is found out elsewhere; here there is nothing left to do.
        if leads && shared.raft.trigger().heartbeat().await.is_err() {
            return;
        }
    }
}
