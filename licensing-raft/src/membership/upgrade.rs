//! Raising the edition of the rules while servers are upgraded one by one.
//!
//! Every server says in its reports up to which edition it knows. While they differ, nothing happens; once all are there
//! and know a newer one, the master raises the edition by an entry, after a while in which one may still go back. Until
//! then the new rules sleep. A triad that serves nothing yet, or that was founded since its master started, has nothing to go back to
//! and is raised at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use licensing_core::command::Command;
use licensing_core::edition::Edition;
use licensing_core::id::Role;
use licensing_core::outcome::Answer;

use crate::error::ProposeError;
use crate::shared::Shared;
use crate::time::Instant;

/// Between two looks: an upgrade takes a person minutes, and a new triad should not be felt to wait.
const LOOK: Duration = Duration::from_millis(500);

/// What the servers know of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpgradeStatus {
    /// The edition that is applied.
    pub edition: Edition,
    /// Whether an operator holds it.
    pub held: bool,
    /// The newest edition each server knows, by role; `None` for one that is not there to say so.
    pub known: Vec<(Role, Option<Edition>)>,
}

impl UpgradeStatus {
    /// The newest edition that all servers know; `None` while one of them is not there.
    pub fn known_by_all(&self) -> Option<Edition> {
        self.known.iter().map(|(_, known)| *known).min().flatten()
    }

    /// The edition to which the rules can be raised now, if that is more than there is.
    pub fn next(&self) -> Option<Edition> {
        self.known_by_all().filter(|known| *known > self.edition)
    }
}

/// Why the edition was not raised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// See [`ProposeError`].
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// A server is not there to say what it knows.
    #[error("the {role} is not there to say which edition of the rules it knows: start it first")]
    Missing {
        /// Which one.
        role: Role,
    },
}

impl Shared {
    /// What all servers know, as this one has heard.
    pub(crate) fn upgrade(&self) -> UpgradeStatus {
        let known = |role: Role| match role == self.config.role {
            true => Some(self.config.known_edition),
            false => self.survey.fresh(role).map(|heard| heard.report.known_edition),
        };
        let (edition, held) = self.machine.look(|state| (state.edition(), state.edition_held()));
        UpgradeStatus { edition, held, known: self.config.roles().map(|role| (role, known(role))).collect() }
    }

    pub(crate) async fn finish_upgrade(&self) -> Result<Answer, UpgradeError> {
        self.ensure_serving()?;
        let status = self.upgrade();
        if let Some((role, _)) = status.known.iter().find(|(_, known)| known.is_none()) {
            return Err(UpgradeError::Missing { role: *role });
        }
        let to = status.next().unwrap_or(status.edition);
        Ok(self.propose(&Command::RaiseEdition { to }).await?)
    }

    /// A triad that is about to be given its first license begins with the newest rules that all servers know: afterwards it
    /// would have something to go back to, and wait.
    pub(crate) async fn begin_with_the_newest_rules(&self) {
        let next = self.upgrade().next().filter(|_| self.is_raised_at_once());
        if let Some(to) = next {
            // Lost or late, it is raised after the usual while.
            let _ = self.propose(&Command::RaiseEdition { to }).await;
        }
    }

    fn is_raised_at_once(&self) -> bool {
        let is_new = self.is_new.load(Ordering::SeqCst);
        self.machine.look(|state| (is_new || !state.is_licensed()) && !state.edition_held())
    }
}

/// Since when one edition could have been applied, without interruption: a server that went back to the version before, a
/// hold, another master begin the time anew in which one may go back.
#[derive(Default)]
struct Possible(Option<(Edition, Instant)>);

impl Possible {
    fn look(&mut self, next: Option<Edition>, now: Instant) -> Option<(Edition, Duration)> {
        self.0 = next.map(|to| match self.0 {
            Some((edition, since)) if edition == to => (to, since),
            _ => (to, now),
        });
        self.0.map(|(to, since)| (to, now - since))
    }
}

/// Raises the edition whenever this server is master and it is time, until the node ends.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let mut possible = Possible::default();
    loop {
        crate::time::sleep(LOOK).await;
        if shared.is_leaving() {
            return;
        }
        let status = shared.upgrade();
        let next = status.next().filter(|_| !status.held && shared.mastership.borrow().serving);
        let Some((to, possible_for)) = possible.look(next, Instant::now()) else { continue };
        if shared.is_raised_at_once() || possible_for >= shared.config.upgrade_after {
            tracing::info!("all servers know edition {to} of the rules: it applies from now on");
            // Lost or late, it is proposed again on the next look.
            let _ = shared.propose_once(Command::RaiseEdition { to }).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_between_begins_the_time_anew() {
        let (begin, mut possible) = (Instant::now(), Possible::default());
        let mut look = |next: Option<u32>, second: u64| {
            let looked = possible.look(next.map(Edition), begin + Duration::from_secs(second));
            looked.map(|(to, since)| (to.0, since.as_secs()))
        };
        assert_eq!(look(Some(2), 0), Some((2, 0)));
        assert_eq!(look(Some(2), 30), Some((2, 30)));
        assert_eq!(look(None, 31), None);
        assert_eq!(look(Some(2), 40), Some((2, 0)));
        assert_eq!(look(Some(2), 50), Some((2, 10)));
        assert_eq!(look(Some(3), 51), Some((3, 0)));
    }
}
