//! What servers said they had not done.

use std::sync::{Mutex, MutexGuard, PoisonError};

use licensing_core::id::{RequestId, Role, SessionId, Token};
use licensing_core::view::Recalled;

use super::names::claim;
use crate::simulation::nodes::HasNode;
use crate::simulation::service::{Service, Site};

/// What was said not to have been done, and must stay so.
#[derive(Default)]
pub(super) struct Undone(Mutex<Vec<(SessionId, Token, RequestId)>>);

impl Undone {
    pub(super) fn list(&self) -> MutexGuard<'_, Vec<(SessionId, Token, RequestId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No server has an answer to any of it.
    pub(super) fn look<S: Service<Server: HasNode>>(&self, site: &Site<S>) {
        for role in Role::ALL {
            let Some(server) = &site.servers()[role.place()] else { continue };
            let done = server.node().look(|state| {
                let list = self.list();
                let found = list.iter().find(|(session, token, request)| {
                    matches!(state.recall(*session, token, *request), Recalled::Answered(_))
                });
                found.map(|(session, _, request)| format!("request {request} of session {session}"))
            });
            if let Some(what) = done {
                site.fail(claim::NOT_DONE_STAYS, format!("the {role} knows an answer to {what}"));
            }
        }
    }
}
