//! Numbered requests: decided once, however often they are sent.

use std::sync::Arc;

use super::check_out::Wanted;
use crate::apply::applying::Applying;
use crate::command::{Action, Call};
use crate::id::SessionId;
use crate::outcome::{Answer, Denial, Outcome};
use crate::session::Admission;
use crate::state::State;

impl State {
    /// Decides a numbered request once; a repeated number gets its first answer and causes no events.
    pub(crate) fn call(&mut self, call: &Call, applying: &mut Applying) -> Answer {
        let admission = match self.speaker(call.session, call.token) {
            Ok(session) => {
                session.last_active = applying.index;
                session.admit(call)
            }
            Err(denial) => Admission::Refused(denial),
        };
        match admission {
            Admission::Repeated(answer) => answer,
            Admission::Refused(denial) => applying.answer(Err(denial)),
            Admission::New => {
                let decision = self.act(call.session, &call.action, applying);
                let answer = applying.answer(decision);
                if let Some(session) = self.sessions.get_mut(&call.session) {
                    Arc::make_mut(session).remember(call.request, answer.clone());
                }
                answer
            }
        }
    }

    fn act(
        &mut self,
        session: SessionId,
        action: &Action,
        applying: &mut Applying,
    ) -> Result<Outcome, Denial> {
        self.check_edition(action.needs())?;
        match action {
            Action::Checkout { vendor, feature, version, seats } => {
                let wanted =
                    Wanted { vendor: vendor.as_deref(), feature, version, seats: *seats, extras: &[] };
                self.check_out_or_record(session, &wanted, applying)
            }
            Action::CheckoutWith { vendor, feature, version, seats, extras } => {
                let wanted = Wanted { vendor: vendor.as_deref(), feature, version, seats: *seats, extras };
                self.check_out_or_record(session, &wanted, applying)
            }
            Action::SetVendorData { handle, data } => self.set_vendor_data(session, *handle, data, applying),
            Action::Checkin { handle, owner } => self.check_in(session, *handle, *owner, applying),
            Action::Remove(removal) => self.remove(removal, applying),
            Action::Maintain { role, on } => Ok(self.maintain(*role, *on, applying)),
            Action::PreferMaster { role } => self.prefer_master(*role, applying),
        }
    }
}
