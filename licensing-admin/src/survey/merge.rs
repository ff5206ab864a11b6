//! Merges what servers say about themselves and each other into one picture. Pure: asks nobody.

use licensing_client::ServerAddress;
use licensing_client::protocol::{ServerStatus, StatusPage};
use licensing_core::id::Role;

use super::problem::ProbeProblem;
use super::seen::{Probe, SeenServer};

/// The merged picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The answer everything else is taken from: the master's, or else the best there is. `None` when no server
    /// answered. Its `servers` are merged with what the others say about themselves.
    pub page: Option<StatusPage>,
    /// The servers in the order of the SERVER lines; as asked, when no server answered.
    pub servers: Vec<SeenServer>,
}

impl Survey {
    /// Merges what came of asking. `probes` in the order of the search path.
    pub fn merge(probes: &[Probe]) -> Survey {
        let answers: Vec<&StatusPage> =
            probes.iter().filter_map(|probe| probe.answer.as_ref().ok()).collect();
        let Some(best) = answers.iter().max_by_key(|page| trust(page)) else {
            let servers = probes.iter().map(|probe| SeenServer {
                name: probe.name.clone(),
                status: None,
                problem: probe.answer.as_ref().err().cloned(),
                is_cut_off: false,
            });
            return Survey { page: None, servers: servers.collect() };
        };
        let mut page = StatusPage::clone(best);
        let mut seen = Vec::new();
        for status in &mut page.servers {
            let role = status.role;
            let own = answers.iter().find(|answer| answer.answered_by == role);
            let is_cut_off = own.is_some() && !status.up;
            if let Some(own) = own.and_then(|own| own.servers.iter().find(|server| server.role == role)) {
                add_own_word(status, own);
            }
            let name = ServerAddress::new(&status.host, status.port);
            let problem = match own {
                Some(_) => None,
                None => Some(find_problem(probes, &name, role)),
            };
            if problem.as_ref().is_some_and(ProbeProblem::is_gone) {
                take_down(status);
                page.master = page.master.filter(|master| *master != role);
            }
            seen.push(SeenServer { name, status: Some(status.clone()), problem, is_cut_off });
        }
        for warning in answers.iter().flat_map(|answer| &answer.warnings) {
            if !page.warnings.contains(warning) {
                page.warnings.push(warning.clone());
            }
        }
        Survey { page: Some(page), servers: seen }
    }

    /// The master, if there is one that somebody hears.
    pub fn master(&self) -> Option<&SeenServer> {
        let role = self.page.as_ref()?.master?;
        self.servers.iter().find(|server| server.status.as_ref().is_some_and(|status| status.role == role))
    }

    /// The first reason why a server did not answer.
    pub fn first_problem(&self) -> Option<&ProbeProblem> {
        self.servers.iter().find_map(|server| server.problem.as_ref())
    }
}

/// How much an answer is worth: the master's own most, then one that knows a master, then the most recent state.
fn trust(page: &StatusPage) -> (bool, bool, bool, u64) {
    let is_master = page.master == Some(page.answered_by);
    (is_master && page.quorum, page.master.is_some(), page.quorum, page.applied_index.0)
}

/// What a server says about itself goes before what others say about it; whether it is master and how far it is
/// behind stays with the better informed answer.
fn add_own_word(status: &mut ServerStatus, own: &ServerStatus) {
    if !status.up {
        let why = status.remark.take().map(|why| format!(": {why}")).unwrap_or_default();
        status.remark =
            Some(format!("runs, but the server that answers for the triad does not hear it{why}"));
    }
    status.up = true;
    if !own.version.is_empty() {
        status.version.clone_from(&own.version);
    }
    if status.applied_index < own.applied_index {
        status.applied_index = own.applied_index;
    }
    if status.remark.is_none() {
        status.remark.clone_from(&own.remark);
    }
}

/// It has just been seen not to serve.
fn take_down(status: &mut ServerStatus) {
    status.up = false;
    status.master = false;
}

/// Why the server of this SERVER line did not answer: under its own name, or under an alias at the same place of a
/// search path for a triad.
fn find_problem(probes: &[Probe], name: &ServerAddress, role: Role) -> ProbeProblem {
    let by_name = probes.iter().find(|probe| probe.name == *name);
    let by_place = if probes.len() >= 3 { probes.get(role.place()) } else { None };
    [by_name, by_place]
        .into_iter()
        .flatten()
        .find_map(|probe| probe.answer.as_ref().err().cloned())
        .unwrap_or(ProbeProblem::NotAsked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests_support::page;
    use licensing_core::id::LogIndex;

    fn name(port: u16) -> ServerAddress {
        ServerAddress::new("127.0.0.1", port)
    }

    fn refused() -> ProbeProblem {
        ProbeProblem::Connect {
            kind: std::io::ErrorKind::ConnectionRefused,
            number: Some(111),
            text: "Connection refused".to_owned(),
        }
    }

    #[test]
    fn the_master_is_believed_before_a_standby() {
        let mut stale = page(Role::Secondary);
        stale.applied_index = LogIndex(9_999);
        stale.master = Some(Role::Secondary);
        stale.quorum = false;
        let probes = [
            Probe { name: name(27001), answer: Ok(page(Role::Primary)) },
            Probe { name: name(27002), answer: Ok(stale) },
        ];
        let survey = Survey::merge(&probes);
        assert_eq!(survey.page.as_ref().unwrap().answered_by, Role::Primary);
        assert_eq!(survey.master().unwrap().name, ServerAddress::new("pat", 2837));
    }

    #[test]
    fn a_server_that_answers_is_up_even_when_the_master_does_not_hear_it() {
        let mut master = page(Role::Primary);
        master.servers[2].up = false;
        let probes = [
            Probe { name: name(27001), answer: Ok(master) },
            Probe { name: name(27002), answer: Err(refused()) },
            Probe { name: name(27003), answer: Ok(page(Role::Tertiary)) },
        ];
        let survey = Survey::merge(&probes);
        let tertiary = survey.servers[2].status.as_ref().unwrap();
        assert!(tertiary.up);
        assert!(!survey.servers[2].is_well() && survey.servers[0].is_well());
        assert_eq!(survey.servers[2].state(), "up, cut off");
        assert!(tertiary.remark.as_ref().unwrap().contains("does not hear it"));
        assert_eq!(survey.servers[1].problem, Some(refused()));
    }

    #[test]
    fn a_server_that_cannot_be_reached_from_here_is_up_when_the_master_hears_it() {
        let silent = ProbeProblem::NoAnswer;
        let probes = [
            Probe { name: name(27001), answer: Ok(page(Role::Primary)) },
            Probe { name: name(27002), answer: Err(silent.clone()) },
            Probe { name: name(27003), answer: Err(silent.clone()) },
        ];
        let survey = Survey::merge(&probes);
        assert!(survey.servers[1].is_up());
        assert_eq!(survey.servers[1].problem, Some(silent));
    }

    #[test]
    fn a_master_killed_a_moment_ago_is_not_master_though_the_standbys_still_say_so() {
        let probes = [
            Probe { name: name(27001), answer: Err(refused()) },
            Probe { name: name(27002), answer: Ok(page(Role::Secondary)) },
            Probe { name: name(27003), answer: Ok(page(Role::Tertiary)) },
        ];
        let survey = Survey::merge(&probes);
        assert_eq!(survey.master(), None);
        assert!(!survey.servers[0].is_up());
        assert!(!survey.servers[0].status.as_ref().unwrap().master);
    }

    #[test]
    fn nobody_answers() {
        let survey = Survey::merge(&[Probe { name: name(27001), answer: Err(refused()) }]);
        assert_eq!(survey.page, None);
        assert_eq!(survey.servers[0].name, name(27001));
        assert_eq!(survey.first_problem(), Some(&refused()));
        assert_eq!(survey.master(), None);
    }
}
