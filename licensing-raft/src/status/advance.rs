//! Whether standbys that are heard take what they lack. openraft tells of its core alone: a task of it that sends a peer
//! nothing any more looks from there like a peer that needs nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::Instant;
use licensing_core::id::Role;

/// A standby that is heard and takes nothing of what it lacks for so long does not advance: one part of a snapshot may take
/// ten seconds, and openraft waits for one more before it tries again.
const STANDS_STILL: Duration = Duration::from_secs(15);

/// Since when each standby has been behind and has taken nothing.
#[derive(Debug, Default)]
pub(crate) struct Advance(Mutex<[Option<Instant>; 3]>);

impl Advance {
    /// How long a standby has been heard and has taken nothing of what it lacks, once that is too long.
    pub(crate) fn stands_still(&self, role: Role) -> Option<Duration> {
        self.lock()[role.place()].map(|since| since.elapsed()).filter(|still| *still > STANDS_STILL)
    }

    /// Notes what is to be seen now.
    pub(super) fn note(&self, role: Role, is_behind: bool, took: Option<Instant>) {
        let since = &mut self.lock()[role.place()];
        *since = is_behind.then(|| {
            let since = since.unwrap_or_else(Instant::now);
            took.map_or(since, |took| since.max(took))
        });
    }

    fn lock(&self) -> MutexGuard<'_, [Option<Instant>; 3]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_standby_that_takes_nothing_of_what_it_lacks_stands_still() {
        let (advance, role) = (Advance::default(), Role::Tertiary);
        let wait = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        // Level for an hour, and behind for a moment: what was taken last is long ago.
        let took = Some(Instant::now());
        wait(3600).await;
        advance.note(role, false, took);
        advance.note(role, true, took);
        assert_eq!(advance.stands_still(role), None);
        wait(14).await;
        advance.note(role, true, took);
        assert_eq!(advance.stands_still(role), None);
        wait(2).await;
        advance.note(role, true, took);
        assert_eq!(advance.stands_still(role), Some(Duration::from_secs(16)));
        // Something was taken, and so it goes on.
        advance.note(role, true, Some(Instant::now()));
        assert_eq!(advance.stands_still(role), None);
        wait(16).await;
        assert!(advance.stands_still(role).is_some());
        // Level again.
        advance.note(role, false, took);
        assert_eq!(advance.stands_still(role), None);
    }

    /// Nothing was ever taken, by a standby that has been behind since the beginning.
    #[tokio::test(start_paused = true)]
    async fn a_standby_that_never_took_anything_stands_still_too() {
        let (advance, role) = (Advance::default(), Role::Secondary);
        for _ in 0..16 {
            advance.note(role, true, None);
            assert_eq!(advance.stands_still(role), None);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(advance.stands_still(role).is_some());
    }
}
