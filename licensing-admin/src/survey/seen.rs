//! What came of asking, and what is known of a server from all answers together.

use licensing_client::ServerAddress;
use licensing_client::protocol::{ServerStatus, StatusPage};

use super::problem::ProbeProblem;

/// What came of asking one server.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Whom.
    pub name: ServerAddress,
    /// Its whole status, all pages, or why there is none.
    pub answer: Result<StatusPage, ProbeProblem>,
}

/// One server of the merged picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenServer {
    /// Name on its SERVER line; as asked, when nobody who knows answered.
    pub name: ServerAddress,
    /// What is known of it; `None` when nobody answered.
    pub status: Option<ServerStatus>,
    /// Why it did not answer us; `None` when it did.
    pub problem: Option<ProbeProblem>,
    /// Whether it runs, and the server that answers for the triad does not hear it: it takes part in nothing.
    pub is_cut_off: bool,
}

impl SeenServer {
    /// Whether it runs, as far as anybody can tell.
    pub fn is_up(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.up)
    }

    /// Whether it runs and takes part.
    pub fn is_well(&self) -> bool {
        self.is_up() && !self.is_cut_off
    }

    /// What it is doing, in a word or two.
    pub fn state(&self) -> &'static str {
        match (self.is_up(), self.status.as_ref().is_some_and(|status| status.master)) {
            (true, _) if self.is_cut_off => "up, cut off",
            (true, true) => "up, master",
            (true, false) => "up",
            (false, _) => "down",
        }
    }

    /// What there is to say about it besides its numbers. Why a server that is down did not answer us is newer than
    /// what the others remember of it.
    pub fn remark(&self) -> Option<String> {
        let own = self.status.as_ref().and_then(|status| status.remark.clone());
        match (&self.problem, self.is_up()) {
            (None, _) => own,
            (Some(problem), false) => Some(problem.to_string()),
            (Some(problem), true) => {
                let unreachable = format!("not reachable from here: {problem}");
                Some(own.map_or(unreachable.clone(), |own| format!("{own}; {unreachable}")))
            }
        }
    }
}
