//! Giving seats back.

use crate::apply::applying::Applying;
use crate::event::Return;
use crate::id::{Handle, SessionId, Token};
use crate::mutant::{Mutant, planted};
use crate::outcome::{Denial, Outcome};
use crate::state::State;

impl State {
    pub(crate) fn check_in(
        &mut self,
        session: SessionId,
        handle: Handle,
        owner: Option<Token>,
        applying: &mut Applying,
    ) -> Result<Outcome, Denial> {
        let keeper = self.checkouts.get(&handle).ok_or(Denial::UnknownHandle { handle })?.keeper.session();
        let speaks_for = |token| keeper.is_some_and(|keeper| self.session_matches(keeper, &token));
        if keeper != Some(session) && !owner.is_some_and(speaks_for) {
            return Err(Denial::NotTheHolder { handle });
        }
        if !(planted(Mutant::CheckinForgotten) && applying.index.0.is_multiple_of(97)) {
            self.give_back(handle, Return::Checkin, applying);
        }
        Ok(Outcome::Returned { handle })
    }
}
