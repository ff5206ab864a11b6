//! Asks servers for their status, all at the same time, and then those whose names were only learned on the way.

use std::time::Duration;

use futures_util::future::join_all;
use licensing_client::framing::FrameError;
use licensing_client::protocol::{StatusFilter, StatusPage};
use licensing_client::{Awaited, ConnectionError, Direct, DirectError, ServerAddress, Site, TcpDial};
use tokio::time::timeout;

use super::merge::Survey;
use super::problem::ProbeProblem;
use super::seen::Probe;

/// The merged picture of a site. Where an entry names no port, the server at the first port that answers is meant.
pub async fn site(site: &Site, filter: &StatusFilter, limit: Duration) -> Survey {
    if !site.is_any_port() {
        return survey(site.servers(), filter, limit).await;
    }
    let probes = join_all(site.servers().iter().map(|server| probe(server, filter, limit))).await;
    let there = probes.iter().find(|probe| probe.answer.is_ok()).or(probes.first());
    Survey::merge(there.map(std::slice::from_ref).unwrap_or_default())
}

/// The merged picture of one triad or server. Takes at most twice the limit: once for those asked, once for those
/// they name.
pub async fn survey(servers: &[ServerAddress], filter: &StatusFilter, limit: Duration) -> Survey {
    let mut probes = join_all(servers.iter().map(|server| probe(server, filter, limit))).await;
    let learned = learned_names(&probes);
    probes.extend(join_all(learned.iter().map(|server| probe(server, filter, limit))).await);
    Survey::merge(&probes)
}

/// The status of one server.
pub async fn probe(server: &ServerAddress, filter: &StatusFilter, limit: Duration) -> Probe {
    let asking = async {
        let mut direct = Direct::connect(server, &TcpDial).await.map_err(|error| problem(&error))?;
        direct = direct.with_answer_limit(limit);
        direct.status_all(filter.clone()).await.map_err(|error| problem(&error))
    };
    let answer: Result<StatusPage, ProbeProblem> = match timeout(limit, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(ProbeProblem::Read(format!("no answer within {limit:?}"))),
    };
    Probe { name: server.clone(), answer }
}

/// Servers that an answer names and nobody was asked under that name, unless it has answered under another.
fn learned_names(probes: &[Probe]) -> Vec<ServerAddress> {
    let answered: Vec<_> = probes.iter().filter_map(|probe| probe.answer.as_ref().ok()).collect();
    let named = answered.iter().flat_map(|page| &page.servers);
    let mut learned = Vec::new();
    for server in named.filter(|server| !answered.iter().any(|page| page.answered_by == server.role)) {
        let address = ServerAddress::new(&server.host, server.port);
        if !learned.contains(&address) && !probes.iter().any(|probe| probe.name == address) {
            learned.push(address);
        }
    }
    learned
}

/// What kept a server from being asked.
pub fn problem(error: &DirectError) -> ProbeProblem {
    match error {
        DirectError::Connection(ConnectionError::Dial { source, .. }) => ProbeProblem::from_connect(source),
        DirectError::Connection(ConnectionError::Silent { awaited: Awaited::Connection, .. }) => {
            ProbeProblem::NoAnswer
        }
        DirectError::Connection(ConnectionError::Silent { awaited, waited_ms, .. }) => {
            ProbeProblem::Read(format!("silent for {waited_ms} ms while {awaited} was awaited"))
        }
        DirectError::Connection(ConnectionError::Refused { refusal, .. }) => {
            ProbeProblem::Refused(refusal.to_string())
        }
        DirectError::Connection(ConnectionError::Closed { .. }) => {
            ProbeProblem::Closed("closed the connection".to_owned())
        }
        DirectError::Connection(ConnectionError::Frame { source: FrameError::Io(error), .. }) => {
            ProbeProblem::Closed(format!("broke the connection: {error}"))
        }
        other => ProbeProblem::Read(other.to_string()),
    }
}
