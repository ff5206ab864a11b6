//! When silent sessions end. Signs of life stay in the memory of the master: as log entries they would eat the disk.
//! What ends a session is an `Expire` proposal, decided by the log like everything else.
//!
//! The grace is a lower bound: a server that becomes master, or that notices it was itself asleep, gives every session
//! a full grace from then on. How long it is says [`crate::sessions::grace`].

use std::sync::Arc;
use std::time::Duration;

use licensing_core::command::Command;
use licensing_core::id::{LogIndex, SessionId};
use licensing_core::mutant::{Mutant, planted};
use licensing_core::state::State;

use crate::shared::Shared;
use crate::time::Instant;

/// Ends silent sessions and lets time pass, whenever this server is master, until the node ends.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let pause =
        (shared.config.session_grace / 20).clamp(Duration::from_millis(20), Duration::from_millis(500));
    let mut was_master = false;
    let mut last_look = Instant::now();
    // More are silent than one proposal ends: the rest do not wait for the next look, or a site whose clients all died at once
    // would have its seats back minutes later.
    let mut has_more = false;
    let mut mastership = shared.mastership.subscribe();
    loop {
        tokio::select! {
            biased;
            changed = mastership.changed() => if changed.is_err() { return },
            () = crate::time::sleep(if has_more { Duration::ZERO } else { pause }) => {}
        }
        let now = Instant::now();
        // While this server did not run, or did not serve, nobody could give it a sign of life.
        let slept = now - last_look > pause + shared.config.timings.lease();
        last_look = now;
        has_more = false;
        // On standbys too, so that whoever becomes master knows what clients were told.
        let grace = shared.grace.follow(shared.machine.look(State::session_count));
        if !mastership.borrow_and_update().serving {
            was_master = false;
            // Nobody judges them here: whatever a standby is told of would stay for ever.
            shared.signs_of_life.forget_all();
            continue;
        }
        if slept || !was_master {
            if !planted(Mutant::OldSignsOfLife) {
                shared.signs_of_life.forget_all();
            }
            was_master = true;
        }
        let state = shared.machine.state();
        let silent = shared.signs_of_life.silent_for(&state, now, grace, shared.config.pieces.sessions);
        if !silent.is_empty() {
            let is_full = silent.len() == shared.config.pieces.sessions;
            has_more = expire(&shared, silent, state.last_index()).await && is_full;
        }
        if state.next_deadline().is_some_and(|deadline| deadline <= shared.triad_time()) {
            // Lost or late, it is proposed again on the next look.
            let _ = shared.propose_once(Command::Tick).await;
        }
    }
}

/// Whether they were ended.
async fn expire(shared: &Shared, sessions: Vec<SessionId>, judged_at: LogIndex) -> bool {
    tracing::info!(count = sessions.len(), "ending sessions that were silent for their whole grace");
    // Not retried here: on the next look the silence is judged anew.
    let expired = shared.propose_once(Command::Expire { sessions, judged_at }).await;
    if let Err(error) = &expired {
        tracing::debug!("sessions were not ended: {error}");
    }
    expired.is_ok()
}
