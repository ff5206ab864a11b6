//! When sessions were last heard of. Kept in the memory of each server: as log entries they would eat the disk.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_core::id::SessionId;
use licensing_core::state::State;

use crate::time::Instant;

/// Sessions looked at under one lock: a sign of life must not wait for a hundred thousand others.
const SESSIONS_PER_LOCK: usize = 1024;

/// When sessions were last heard of. A session that was never heard of counts from when it was first noticed.
#[derive(Default)]
pub(crate) struct SignsOfLife(Mutex<BTreeMap<SessionId, Instant>>);

impl SignsOfLife {
    pub(crate) fn note(&self, session: SessionId) {
        self.lock().insert(session, Instant::now());
    }

    /// How many were heard of.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Gives every session a full grace from its next notice on.
    pub(crate) fn forget_all(&self) {
        self.lock().clear();
    }

    /// The sessions of `state` that have been silent for `grace` at `now`, `most` of them.
    pub(crate) fn silent_for(
        &self,
        state: &State,
        now: Instant,
        grace: Duration,
        most: usize,
    ) -> Vec<SessionId> {
        let sessions: Vec<SessionId> = state.sessions().collect();
        let mut silent = Vec::new();
        for some in sessions.chunks(SESSIONS_PER_LOCK) {
            let mut seen = self.lock();
            let is_silent =
                |session: &&SessionId| now.duration_since(*seen.entry(**session).or_insert(now)) >= grace;
            silent.extend(some.iter().filter(is_silent));
        }
        self.forget_ended(&sessions);
        silent.truncate(most);
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
