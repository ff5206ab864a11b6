//! Waking up the rules of a newer edition.

use crate::apply::applying::Applying;
use crate::edition::Edition;
use crate::event::EventKind;
use crate::outcome::{Denial, Outcome};
use crate::state::State;

impl State {
    /// Raises the edition; asking for one that is reached already changes nothing.
    pub(crate) fn raise_edition(&mut self, to: Edition, applying: &mut Applying) -> Result<Outcome, Denial> {
        // Whoever carries entries here has asked `can_apply` and stopped.
        if to > self.known {
            let what =
                format!("edition {to} is not known here, the newest is {}: upgrade this server", self.known);
            return Err(Denial::InvalidParameter { what });
        }
        if to > self.edition {
            self.edition = to;
            applying.record(EventKind::EditionRaised { edition: to });
        }
        Ok(Outcome::EditionRaised { edition: self.edition })
    }

    pub(crate) fn hold_edition(&mut self, on: bool, applying: &mut Applying) -> Outcome {
        if self.edition_held != on {
            self.edition_held = on;
            applying.record(EventKind::EditionHeld { on });
        }
        Outcome::EditionHeld { on }
    }

    /// A rule that sleeps changes nothing. Whoever proposes asks before ([`crate::Command::needs`]).
    pub(super) fn check_edition(&self, needed: Edition) -> Result<(), Denial> {
        if self.has_edition(needed) {
            return Ok(());
        }
        let what = format!("edition {needed} of the rules allows that, and {} applies", self.edition);
        Err(Denial::InvalidParameter { what })
    }
}
