//! Taking seats away from whoever holds them (`lmremove`).

use super::check_text;
use crate::apply::applying::Applying;
use crate::command::{Identity, Removal};
use crate::event::Return;
use crate::id::Handle;
use crate::outcome::{Denial, Outcome};
use crate::state::State;

impl State {
    pub(crate) fn remove(&mut self, removal: &Removal, applying: &mut Applying) -> Result<Outcome, Denial> {
        let (handles, missing) = match removal {
            Removal::Handle(handle) => {
                let found: Vec<Handle> = self.checkouts.get(handle).map(|_| *handle).into_iter().collect();
                (found, format!("no checkout with handle {handle}"))
            }
            Removal::Holder { feature, user, host, display } => {
                check_text("feature name", feature)?;
                check_text("user name", user)?;
                check_text("host name", host)?;
                check_text("display name", display)?;
                let is_holder =
                    |who: &Identity| who.user == *user && who.host == *host && who.display == *display;
                let missing = format!("{user} on {host} at {display} holds no seat of feature `{feature}`");
                (self.held_by(feature, is_holder), missing)
            }
        };
        if handles.is_empty() {
            return Err(Denial::NothingToRemove { what: missing });
        }
        for handle in &handles {
            self.give_back(*handle, Return::Removed, applying);
        }
        Ok(Outcome::Removed { handles })
    }
}
