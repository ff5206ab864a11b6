//! When to take a snapshot. One of a large state takes long and is worth as much log: with a fixed distance a server with
//! a million checkouts would write snapshots all the time.
//!
//! The three servers never take theirs at the same entry. Two are enough for a decision, so while a standby writes its
//! snapshot nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::id::Role;
use licensing_core::state::State;

use crate::engine::looks::{self, LOOK};
use crate::shared::Shared;

/// Between two looks: at the highest rate about as many entries come as a small state's distance.
const BETWEEN_LOOKS: Duration = LOOK.saturating_mul(4);

/// The distance is at least an entry for so many sessions and checkouts: replaying the log then takes about as long as
/// reading the snapshot before it, and the log takes about a fifth of the memory of the state.
const LIVE_PER_ENTRY: u64 = 8;

/// Entries between two snapshots of a server with so many sessions and checkouts. It grows by doubling: a distance that
/// changed with every checkout would move all the places where snapshots are due.
fn distance(live: u64, least: u64) -> u64 {
    let mut distance = least.max(1);
    while distance < live / LIVE_PER_ENTRY {
        distance *= 2;
    }
    distance
}

fn live(state: &State) -> u64 {
    state.session_count() as u64 + state.checkout_count() as u64
}

/// Whether one of the places where this role takes snapshots, a third of the distance behind those of the role before
/// it, lies behind the newest snapshot and not beyond what has been applied.
fn is_due(role: Role, distance: u64, shelved: u64, applied: u64) -> bool {
    let behind = distance * role.place() as u64 / Role::ALL.len() as u64;
    let places_until = |index: u64| (index + distance - behind) / distance;
    places_until(applied) > places_until(shelved)
}

/// Takes snapshots until the node ends.
pub(crate) async fn take(shared: Arc<Shared>) {
    loop {
        looks::next(shared.started, BETWEEN_LOOKS).await;
        let distance = distance(shared.machine.look(live), shared.config.snapshot_every);
        let (shelved, applied) = shared.machine.shelved_and_applied();
        if is_due(shared.config.role, distance, shelved, applied) {
            // While one is being built this does nothing; an engine that has stopped is found out elsewhere.
            let _ = shared.raft.trigger().snapshot().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where this role takes snapshots when every entry is looked at.
    fn places(role: Role, distance: u64, entries: u64) -> Vec<u64> {
        let mut shelved = 0;
        let mut places = Vec::new();
        for applied in 0..=entries {
            if is_due(role, distance, shelved, applied) {
                shelved = applied;
                places.push(applied);
            }
        }
        places
    }

    #[test]
    fn the_three_take_turns() {
        assert_eq!(places(Role::Primary, 300, 1000), [300, 600, 900]);
        assert_eq!(places(Role::Secondary, 300, 1000), [100, 400, 700, 1000]);
        assert_eq!(places(Role::Tertiary, 300, 1000), [200, 500, 800]);
    }

    #[test]
    fn a_snapshot_that_came_late_or_from_the_master_does_not_move_the_next_one() {
        assert!(!is_due(Role::Secondary, 300, 450, 699));
        assert!(is_due(Role::Secondary, 300, 450, 700));
        assert!(is_due(Role::Secondary, 300, 0, 5000));
    }

    #[test]
    fn the_distance_follows_the_state_in_steps() {
        for (live, expected) in [(0, 5000), (40_007, 5000), (40_008, 10_000), (1_100_000, 160_000)] {
            assert_eq!(distance(live, 5000), expected, "{live} live");
        }
        assert_eq!(distance(0, 0), 1);
    }
}
