//! How a node is set: what the three must have in common, and what openraft is told.

use std::time::Duration;

use licensing_core::mutant::{Mutant, planted};
use openraft::{Config, SnapshotPolicy};

use crate::config::NodeConfig;

/// What all three must do alike, in words that can stand in an error.
pub(crate) fn rules(config: &NodeConfig) -> String {
    let pinned = if config.primary_is_master { "PRIMARY_IS_MASTER" } else { "no PRIMARY_IS_MASTER" };
    format!("{pinned}, heartbeat {} ms, lease {} ms", config.timings.heartbeat_ms, config.timings.lease_ms)
}

/// openraft's settings; why each is what it is stands in ADR 0005.
pub(crate) fn of_openraft(config: &NodeConfig) -> Config {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (heartbeat_ms, lease_ms) = (millis(config.timings.heartbeat()), millis(config.timings.lease()));
    Config {
        cluster_name: "triad".to_owned(),
        heartbeat_interval: heartbeat_ms,
        election_timeout_min: (heartbeat_ms * 2).min(lease_ms - 1),
        election_timeout_max: lease_ms,
        // Its ticks would do nothing but elections and heartbeats.
        enable_tick: false,
        enable_elect: false,
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(planted(Mutant::LeaderRestored)),
        backoff: "20ms 40ms 60ms 80ms 100ms 120ms 140ms 160ms 180ms 200ms".to_owned(),
        broadcast_submitted_on_append: Some(true),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: config.log_kept,
        replication_lag_threshold: config.snapshot_every * 2,
        ..Config::default()
    }
}
