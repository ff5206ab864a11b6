//! Which version of the program each host runs. An older one is today's program that knows the rules up to the first
//! edition only: whatever is newer is as unknown to it as to a real one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use licensing_core::edition::Edition;
use licensing_core::id::Role;

use crate::simulation::random::Stream;

/// What a server says that is too old for the rules of its triad.
const TOO_OLD: &str = "upgrade this server";

/// The newest edition that the program on each host knows.
pub(super) struct Versions(Mutex<[Edition; 3]>);

impl Versions {
    /// The same program everywhere.
    pub(super) fn all(known: Edition) -> Versions {
        Versions(Mutex::new([known; 3]))
    }

    /// What the program on this host knows.
    pub(super) fn known(&self, role: Role) -> Edition {
        self.lock()[role.place()]
    }

    /// The next start is of the newest program.
    pub(super) fn upgrade(&self, role: Role) {
        self.lock()[role.place()] = Edition::NEWEST;
    }

    /// The next start is of another program than before, mostly of the newest.
    pub(super) fn replace(&self, role: Role, random: &Stream) {
        let newest = random.chance(75);
        self.lock()[role.place()] = if newest { Edition::NEWEST } else { Edition::FIRST };
    }

    /// Whether a server that ended with these words had to: its program does not know the rules any more.
    pub(super) fn is_too_old(&self, role: Role, why: &str) -> bool {
        why.contains(TOO_OLD) && self.known(role) < Edition::NEWEST
    }

    fn lock(&self) -> MutexGuard<'_, [Edition; 3]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
