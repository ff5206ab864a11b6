//! When to take a snapshot. One of a large state takes long and is worth as much log: with a fixed distance a server with
//! a million checkouts would write snapshots all the time.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::state::State;

use crate::node::Inner;

/// Between two looks: at the highest rate as many entries come as a small state's distance in a tenth of a second.
const POLL: Duration = Duration::from_millis(50);

/// The distance grows by an entry for so many sessions and checkouts: replaying the log then takes about as long as
/// reading the snapshot before it, and the log takes about a fifth of the memory of the state.
const LIVE_PER_ENTRY: u64 = 8;

/// Entries between two snapshots of this state.
fn distance(state: &State, least: u64) -> u64 {
    let live = state.session_count() as u64 + state.checkout_count() as u64;
    least.max(live / LIVE_PER_ENTRY)
}

/// Takes snapshots until the node ends.
pub(crate) async fn take(inner: Arc<Inner>) {
    loop {
        tokio::time::sleep(POLL).await;
        let distance = inner.machine.look(|state| distance(state, inner.config.snapshot_every));
        if inner.machine.entries_since_snapshot() >= distance {
            // While one is being built this does nothing; an engine that has stopped is found out elsewhere.
            let _ = inner.raft.trigger().snapshot().await;
        }
    }
}
