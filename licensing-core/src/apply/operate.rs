//! What operators decide about servers: maintenance, and which of them should be master.

use crate::apply::applying::Applying;
use crate::event::EventKind;
use crate::id::Role;
use crate::outcome::{Denial, Outcome};
use crate::state::State;

impl State {
    pub(crate) fn maintain(&mut self, role: Role, on: bool, applying: &mut Applying) -> Outcome {
        if let Some(mark) = self.maintenance.get_mut(role.place())
            && *mark != on
        {
            *mark = on;
            applying.record(EventKind::Maintenance { role, on });
        }
        Outcome::Maintained { role, on }
    }

    pub(crate) fn prefer_master(
        &mut self,
        role: Option<Role>,
        applying: &mut Applying,
    ) -> Result<Outcome, Denial> {
        if role.is_some_and(|role| !role.may_serve()) {
            let what = "the tertiary is never master: prefer the primary or the secondary".to_owned();
            return Err(Denial::InvalidParameter { what });
        }
        if self.preferred != role {
            self.preferred = role;
            applying.record(EventKind::Preference(role));
        }
        Ok(Outcome::Preferred { role })
    }
}
