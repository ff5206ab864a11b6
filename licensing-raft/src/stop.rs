//! The end of a node that is asked to end.

use std::sync::atomic::Ordering;

use crate::engine::runtime::off_thread;
use crate::mastership::Mastership;
use crate::mastership::handover::hand_over;
use crate::mastership::resign::successor;
use crate::peer::asking;
use crate::shared::Shared;

/// Ends everything, once: who asks later waits for the same end. Should the first to ask give up waiting, the next one
/// goes on with it; every step may be taken twice.
pub(crate) async fn stop(shared: &Shared, with_handover: bool) {
    shared.leaving.store(true, Ordering::SeqCst);
    shared.ended.get_or_init(|| end(shared, with_handover)).await;
}

async fn end(shared: &Shared, with_handover: bool) {
    if with_handover {
        // The others learn first that this server leaves, so that nobody hands the mastership back to it.
        for role in shared.config.others() {
            asking::ask(shared, role).await;
        }
        if let Some(target) = successor(shared) {
            hand_over(shared, target).await;
        }
    }
    // What is left to say goes with the tasks; an unfinished proposal is unknown to its caller.
    shared.stopped.store(true, Ordering::SeqCst);
    shared.connections.end().await;
    let _ = shared.raft.shutdown().await;
    shared.mastership.send_replace(Mastership::unknown(shared.config.role));
    shared.tasks.end().await;
    let log = shared.log.clone();
    // As a part of the node, whoever asked for its end: a simulated one has no other threads.
    if let Err(error) = shared.tasks.scope(off_thread(move || log.close())).await {
        tracing::error!("the log was not closed cleanly: {error}");
    }
    shared.standing.release();
}
