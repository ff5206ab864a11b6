//! When silent sessions end. Signs of life stay in the memory of the master: as log entries they would eat the disk.
//! What ends a session is an `Expire` proposal, decided by the log like everything else.
//!
//! The grace is a lower bound: a server that becomes master, or that notices it was itself asleep, gives every session
//! a full grace from then on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use licensing_core::command::Command;
use licensing_core::id::{LogIndex, SessionId};
use licensing_core::state::State;
use tokio::time::Instant;

use crate::node::Inner;

/// Sessions ended by one proposal: keeps an entry small when a thousand clients vanish at once.
const SESSIONS_PER_PROPOSAL: usize = 1024;

/// When sessions were last heard of.
#[derive(Default)]
pub(crate) struct SignsOfLife(Mutex<BTreeMap<SessionId, Instant>>);

impl SignsOfLife {
    pub(crate) fn note(&self, session: SessionId) {
        self.lock().insert(session, Instant::now());
    }

    /// The sessions of `state` that nobody has heard of since `deadline`, oldest first. Forgets sessions that are gone.
    fn silent_since(&self, state: &State, deadline: Instant) -> Vec<SessionId> {
        let mut seen = self.lock();
        seen.retain(|_, at| *at > deadline);
        state.sessions().filter(|session| !seen.contains_key(session)).take(SESSIONS_PER_PROPOSAL).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<SessionId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends silent sessions and lets time pass, whenever this server is master, until the node ends.
pub(crate) async fn watch(inner: Arc<Inner>) {
    let grace = inner.config.session_grace;
    let pause = (grace / 20).clamp(Duration::from_millis(20), Duration::from_millis(500));
    let mut watching_since: Option<Instant> = None;
    let mut last_look = Instant::now();
    let mut mastership = inner.mastership.subscribe();
    loop {
        tokio::select! {
            biased;
            changed = mastership.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
        let now = Instant::now();
        let slept = now - last_look > pause + inner.config.timings.lease();
        last_look = now;
        if !mastership.borrow_and_update().serving {
            watching_since = None;
            continue;
        }
        if slept {
            // Nobody could renew while this server did not run.
            watching_since = None;
        }
        let since = *watching_since.get_or_insert(now);
        let state = inner.machine.state();
        if now.duration_since(since) >= grace {
            let silent = inner.signs_of_life.silent_since(&state, now - grace);
            if !silent.is_empty() {
                expire(&inner, silent, state.last_index()).await;
            }
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
