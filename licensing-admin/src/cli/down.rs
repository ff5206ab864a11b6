//! `licensectl down`.

use std::io::{self, BufRead, IsTerminal, Write};

use licensing_core::counted;

use super::servers::no_master;
use crate::console::{Failure, put, talk};
use crate::exit::Exit;
use crate::operate::{Servers, StopProblem, standbys_first, stop, without_checkouts};

pub(super) async fn down(servers: &Servers, yes: bool) -> Result<Exit, Failure> {
    let survey = servers.survey(&without_checkouts()).await;
    let names: Vec<String> = survey.servers.iter().map(|server| server.name.host_and_port()).collect();
    if survey.page.is_none() {
        return Err(no_master(&survey));
    }
    if !yes {
        confirm(&format!("Stop {}: {}?", counted(names.len() as u64, "server"), names.join(", ")))?;
    }
    let mut exit = Exit::Done;
    for server in standbys_first(&survey.servers) {
        let role = server.status.as_ref().map_or("server", |status| status.role.name());
        let name = format!("{role} {}", server.name.host_and_port());
        match stop(servers, &server.name).await {
            Ok(()) => put(&format!("{name} stopped\n"))?,
            Err(StopProblem::NotRunning) => put(&format!("{name} was not running\n"))?,
            Err(StopProblem::Refused(why)) => {
                talk(format_args!("error: {name}: {why}"));
                exit = exit.and(Exit::No);
            }
            Err(StopProblem::Unknown(why)) => {
                talk(format_args!("error: {name}: {why}"));
                exit = exit.and(Exit::Unknown);
            }
        }
    }
    Ok(exit)
}

/// Asks on a terminal; without one there must be a flag.
fn confirm(question: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::unknown("nobody to ask on standard input").hint("say --yes"));
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match (read, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::no("nothing was stopped")),
    }
}
