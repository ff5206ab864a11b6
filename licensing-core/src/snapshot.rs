//! A state that was read from a snapshot takes the place of the one that was there.

use crate::mutant::{Mutant, planted};
use crate::state::State;

/// The state after a snapshot was installed over `old`: the snapshot, unless a mutant says otherwise.
pub fn install(mut snapshot: State, old: &State) -> State {
    if planted(Mutant::InstallKeepsAnswers) {
        snapshot.keep_answers_of(old);
    }
    if planted(Mutant::InstallMerges) {
        snapshot.add_checkouts_of(old);
    }
    snapshot
}

impl State {
    fn keep_answers_of(&mut self, old: &State) {
        for (id, before) in &old.sessions {
            if let Some(session) = self.sessions.get_mut(id) {
                let session = std::sync::Arc::make_mut(session);
                session.forgotten = before.forgotten;
                session.answers = before.answers.clone();
            }
        }
    }

    /// With all counts right, so that it is no contradiction in itself.
    fn add_checkouts_of(&mut self, old: &State) {
        for (handle, checkout) in &old.checkouts {
            let lives = checkout.keeper.session().is_some_and(|session| self.sessions.contains_key(&session));
            if lives && !self.checkouts.contains_key(handle) {
                self.take(*handle, checkout.clone());
            }
        }
    }
}
