//! `licensectl health`: one line for each server, and an exit code for monitors.

use crate::console::{Failure, put};
use crate::exit::Exit;
use crate::operate::{Servers, without_checkouts};
use crate::survey::{SeenServer, Survey};
use crate::text::words::printable;

pub(super) async fn health(servers: &Servers) -> Result<Exit, Failure> {
    let survey = servers.survey(&without_checkouts()).await;
    let (text, healthy) = report(&survey);
    put(&text)?;
    Ok(if healthy { Exit::Done } else { Exit::No })
}

/// The lines, and whether all is well: somebody serves, and all servers are up and take part.
fn report(survey: &Survey) -> (String, bool) {
    let mut out = String::new();
    for server in &survey.servers {
        let status = server.status.as_ref();
        let role = status.map_or("server", |status| status.role.name());
        let state = server.state();
        let lag = status.and_then(|status| status.log_lag).filter(|lag| *lag > 0 && server.is_up());
        let lag = lag.map(|lag| format!(", {lag} {} behind", if lag == 1 { "entry" } else { "entries" }));
        let remark = server.remark().map(|remark| format!(" ({remark})")).unwrap_or_default();
        out.push_str(&format!(
            "{role} {} {state}{}{}\n",
            server.name.host_and_port(),
            lag.unwrap_or_default(),
            printable(&remark)
        ));
    }
    let all_up = !survey.servers.is_empty() && survey.servers.iter().all(SeenServer::is_well);
    let serving = survey.page.as_ref().is_some_and(|page| page.quorum) && survey.master().is_some();
    (out, all_up && serving)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests_support::{page, survey};
    use licensing_core::id::Role;

    #[test]
    fn a_healthy_triad() {
        let (text, healthy) = report(&survey(&Role::ALL.map(page)));
        assert!(healthy);
        assert_eq!(text, "primary pat:2837 up, master\nsecondary lee:2837 up\ntertiary terry:2837 up\n");
    }

    #[test]
    fn one_server_down_is_unhealthy_though_the_others_serve() {
        let pages = [Role::Primary, Role::Secondary].map(|role| {
            let mut page = page(role);
            page.servers[1].log_lag = Some(1);
            page.servers[2].up = false;
            page
        });
        let (text, healthy) = report(&survey(&pages));
        assert!(!healthy);
        assert_eq!(
            text,
            "primary pat:2837 up, master\nsecondary lee:2837 up, 1 entry behind\n\
             tertiary terry:2837 down (connection refused)\n"
        );
    }

    /// It runs and knows itself to be up; but were another one to die, nobody would serve.
    #[test]
    fn a_server_that_takes_no_part_is_unhealthy() {
        let mut pages = Role::ALL.map(page);
        pages[0].servers[2].up = false;
        pages[0].servers[2].remark = Some("the peer does not know the peer key".to_owned());
        let (text, healthy) = report(&survey(&pages));
        assert!(!healthy, "{text}");
        assert!(
            text.contains("tertiary terry:2837 up, cut off (runs, but the server that answers"),
            "{text}"
        );
    }

    /// All run and hear each other, and nobody is served: the license was refused, or both are in maintenance.
    #[test]
    fn a_triad_without_a_master_is_unhealthy() {
        let pages = Role::ALL.map(|role| {
            let mut page = page(role);
            page.master = None;
            page.servers.iter_mut().for_each(|server| server.master = false);
            page
        });
        let (text, healthy) = report(&survey(&pages));
        assert!(!healthy, "{text}");
    }

    #[test]
    fn nobody_there_is_unhealthy() {
        let (text, healthy) = report(&survey(&[]));
        assert!(!healthy);
        assert!(text.starts_with("server pat:2837 down (connection refused)\n"), "{text}");
    }
}
