//! Notices when the node has stopped by itself, or a part of it, and ends what is left.

use std::sync::Arc;

use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;

use crate::peer::known::SETTLED_INTERVAL;
use crate::shared::Shared;

/// Notices when openraft has stopped by itself: its metrics may go on saying that all is well. And when something has failed
/// that openraft knows nothing of: whoever leads then would keep the others from electing another.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let mut failure = shared.failure.subscribe();
    loop {
        let failed = crate::time::timeout(SETTLED_INTERVAL, failure.wait_for(Option::is_some)).await.is_ok();
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
        advance(&shared);
    }
}

/// Looks at the standbys, as a leader sees them; the others see nothing of it.
fn advance(shared: &Shared) {
    let (leads, last, matched) = {
        let metrics = shared.raft.metrics();
        let metrics = metrics.borrow_watched();
        let matched = shared.config.others().map(|role| {
            let matched = metrics.replication.as_ref().and_then(|peers| peers.get(&role.number()).copied());
            (role, matched.flatten().map(|id| id.index))
        });
        (metrics.state == ServerState::Leader, metrics.last_log_index, matched.collect::<Vec<_>>())
    };
    for (role, matched) in matched {
        let is_heard = shared.survey.fresh(role).is_some();
        let took = shared.networks.links(role).and_then(|links| links.progressed.latest());
        shared.advance.note(role, leads && is_heard && matched < last, took);
    }
}
