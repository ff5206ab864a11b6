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

/// The lines, and whether all is well: somebody serves and all servers are up.
fn report(survey: &Survey) -> (String, bool) {
    let mut out = String::new();
    for server in &survey.servers {
        let status = server.status.as_ref();
        let role = status.map_or("server", |status| status.role.name());
        let state = match (server.is_up(), status.is_some_and(|status| status.master)) {
            (true, true) => "up, master",
            (true, false) => "up",
            (false, _) => "down",
        };
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
    let all_up = !survey.servers.is_empty() && survey.servers.iter().all(SeenServer::is_up);
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

    #[test]
    fn nobody_there_is_unhealthy() {
        let (text, healthy) = report(&survey(&[]));
        assert!(!healthy);
        assert!(text.starts_with("server pat:2837 down (connection refused)\n"), "{text}");
    }
}
