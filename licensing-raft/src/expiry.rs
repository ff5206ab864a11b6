//! When silent sessions end. Signs of life stay in the memory of the master: as log entries they would eat the disk.
//! What ends a session is an `Expire` proposal, decided by the log like everything else.
//!
//! The grace is a lower bound: a server that becomes master, or that notices it was itself asleep, gives every session
//! a full grace from then on. How long it is says [`crate::grace`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_core::command::Command;
use licensing_core::id::{LogIndex, SessionId};
use licensing_core::mutant::{Mutant, planted};
use licensing_core::state::State;
use tokio::time::Instant;

use crate::node::Inner;

/// Sessions ended by one proposal: keeps an entry small when a thousand clients vanish at once.
const SESSIONS_PER_PROPOSAL: usize = 1024;

/// Sessions looked at under one lock: a sign of life must not wait for a hundred thousand others.
const SESSIONS_PER_LOCK: usize = 1024;

/// When sessions were last heard of. A session that was never heard of counts from when it was first noticed.
#[derive(Default)]
pub(crate) struct SignsOfLife(Mutex<BTreeMap<SessionId, Instant>>);

impl SignsOfLife {
    pub(crate) fn note(&self, session: SessionId) {
        self.lock().insert(session, Instant::now());
    }

    /// Gives every session a full grace from its next notice on.
    fn forget_all(&self) {
        self.lock().clear();
    }

    /// The sessions of `state` that have been silent for `grace` at `now`.
    fn silent_for(&self, state: &State, now: Instant, grace: Duration) -> Vec<SessionId> {
        let sessions: Vec<SessionId> = state.sessions().collect();
        let mut silent = Vec::new();
        for some in sessions.chunks(SESSIONS_PER_LOCK) {
            let mut seen = self.lock();
            let is_silent =
                |session: &&SessionId| now.duration_since(*seen.entry(**session).or_insert(now)) >= grace;
            silent.extend(some.iter().filter(is_silent));
        }
        self.forget_ended(&sessions);
        silent.truncate(SESSIONS_PER_PROPOSAL);
        silent
    }

    /// Drops what is no session any more, once it is as much as what is.
    fn forget_ended(&self, living: &[SessionId]) {
        let mut seen = self.lock();
        if seen.len() > living.len() * 2 + SESSIONS_PER_LOCK {
            seen.retain(|session, _| living.binary_search(session).is_ok());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends silent sessions and lets time pass, whenever this server is master, until the node ends.
pub(crate) async fn watch(inner: Arc<Inner>) {
    let pause =
        (inner.config.session_grace / 20).clamp(Duration::from_millis(20), Duration::from_millis(500));
    let mut was_master = false;
    let mut last_look = Instant::now();
    let mut mastership = inner.mastership.subscribe();
    loop {
        tokio::select! {
            biased;
            changed = mastership.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
        let now = Instant::now();
        // While this server did not run, or did not serve, nobody could give it a sign of life.
        let slept = now - last_look > pause + inner.config.timings.lease();
        last_look = now;
        // On standbys too, so that whoever becomes master knows what clients were told.
        let grace = inner.grace.follow(inner.machine.look(State::session_count));
        if !mastership.borrow_and_update().serving {
            was_master = false;
            continue;
        }
        if slept || !was_master {
            if !planted(Mutant::OldSignsOfLife) {
                inner.signs_of_life.forget_all();
            }
            was_master = true;
        }
        let state = inner.machine.state();
        let silent = inner.signs_of_life.silent_for(&state, now, grace);
        if !silent.is_empty() {
            expire(&inner, silent, state.last_index()).await;
        }
        if state.next_deadline().is_some_and(|deadline| deadline <= inner.triad_time()) {
            // Lost or late, it is proposed again on the next look.
            let _ = inner.propose_once(Command::Tick).await;
        }
    }
}

async fn expire(inner: &Inner, sessions: Vec<SessionId>, judged_at: LogIndex) {
    tracing::info!(count = sessions.len(), "ending sessions that were silent for their whole grace");
    // Not retried here: on the next look the silence is judged anew.
    if let Err(error) = inner.propose_once(Command::Expire { sessions, judged_at }).await {
        tracing::debug!("sessions were not ended: {error}");
    }
}
