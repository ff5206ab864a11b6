//! The verbs that change something: checkin, remove, failover, maintenance, reread, down.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::ValueEnum;
use licensing_client::protocol::{Reply, Request};
use licensing_client::{ServerAddress, TcpDial};
use licensing_core::command::{Action, Removal};
use licensing_core::id::{Handle, Role, Token};
use licensing_core::outcome::Outcome;
use tokio::time::{Instant, sleep};

use super::servers::{Servers, without_checkouts};
use super::status::no_master;
use super::{Failure, put, talk};
use crate::exit::Exit;
use crate::render::counted;
use crate::survey::{ProbeProblem, SeenServer, ask, host_and_port};

/// Between two looks at a triad that is expected to change: a handover takes a few milliseconds.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Whom `failover --to` may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Choice {
    /// The primary
    Primary,
    /// The secondary
    Secondary,
    /// Leave it to the rules again
    None,
}

pub(super) async fn checkin(
    servers: &Servers,
    handle: Handle,
    token: Option<String>,
) -> Result<Exit, Failure> {
    let action = match token {
        None => Action::Remove(Removal::Handle(handle)),
        Some(text) => match Token::from_hex(&text) {
            None => {
                return Err(Failure::unknown("a token is 32 hex digits").hint("`checkout --json` prints it"));
            }
            owner => Action::Checkin { handle, owner },
        },
    };
    servers.act(action).await?;
    put(&format!("returned handle {handle}\n"))?;
    Ok(Exit::Done)
}

pub(super) async fn remove(
    servers: &Servers,
    holder: Vec<String>,
    handle: Option<Handle>,
) -> Result<Exit, Failure> {
    let removal = match (handle, <[String; 4]>::try_from(holder)) {
        (Some(handle), _) => Removal::Handle(handle),
        (None, Ok([feature, user, host, display])) => Removal::Holder { feature, user, host, display },
        (None, Err(_)) => return Err(Failure::unknown("name FEATURE USER HOST DISPLAY, or --handle HANDLE")),
    };
    let answer = servers.act(Action::Remove(removal)).await?;
    if let Outcome::Removed { handles } = answer.outcome {
        let names: Vec<String> = handles.iter().map(Handle::to_string).collect();
        put(&format!("removed {}\n", names.join(" ")))?;
    }
    Ok(Exit::Done)
}

pub(super) async fn failover(servers: &Servers, to: Choice) -> Result<Exit, Failure> {
    let role = match to {
        Choice::Primary => Some(Role::Primary),
        Choice::Secondary => Some(Role::Secondary),
        Choice::None => None,
    };
    let before = servers.survey(&without_checkouts()).await;
    let was_master = before.page.as_ref().and_then(|page| page.master);
    let begun = Instant::now();
    servers.act(Action::PreferMaster { role }).await?;
    let Some(role) = role else {
        put("the choice of a master is left to the rules\n")?;
        return Ok(Exit::Done);
    };
    if was_master == Some(role) {
        put(&format!("{role} is master already, and stays it\n"))?;
        return Ok(Exit::Done);
    }
    let master = wait_for_master(servers, |master| master == role).await.map_err(|last| {
        let now = last.map_or("nobody is".to_owned(), |role| format!("the {role} is"));
        Failure::no(format!("the {role} has not become master within {:?}, {now}", servers.timeout)).hint(
            "`licensectl status` shows what keeps it; the choice stays until `licensectl failover --to none`",
        )
    })?;
    put(&format!(
        "{role} is master at {} after {} ms\n",
        host_and_port(&master),
        begun.elapsed().as_millis()
    ))?;
    Ok(Exit::Done)
}

pub(super) async fn maintenance(servers: &Servers, role: Role, on: bool) -> Result<Exit, Failure> {
    let before = servers.survey(&without_checkouts()).await;
    let was_master = before.page.as_ref().and_then(|page| page.master) == Some(role);
    servers.act(Action::Maintain { role, on }).await?;
    if !on {
        put(&format!("{role} may be master again\n"))?;
        return Ok(Exit::Done);
    }
    put(&format!("{role} is in maintenance: it is not made master until --disable\n"))?;
    if was_master {
        match wait_for_master(servers, |master| master != role).await {
            Ok(address) => put(&format!("master is now {}\n", host_and_port(&address)))?,
            Err(_) => {
                talk(format_args!("warning: nobody can take over from the {role}, it stays master for now"))
            }
        }
    }
    Ok(Exit::Done)
}

/// Where the expected master is; the last master seen, when it does not come in time.
async fn wait_for_master(
    servers: &Servers,
    expected: impl Fn(Role) -> bool,
) -> Result<ServerAddress, Option<Role>> {
    let deadline = Instant::now() + servers.timeout;
    let filter = without_checkouts();
    loop {
        let survey = servers.survey(&filter).await;
        let page = survey.page.as_ref();
        // Only a master's own word counts: a standby may still tell of the one before.
        let own = page.and_then(|page| page.master.filter(|master| *master == page.answered_by));
        match (own.filter(|role| expected(*role)), survey.master()) {
            (Some(_), Some(master)) => return Ok(master.name.clone()),
            _ if Instant::now() >= deadline => return Err(page.and_then(|page| page.master)),
            _ => sleep(LOOK_PAUSE).await,
        }
    }
}

pub(super) async fn reread(servers: &Servers) -> Result<Exit, Failure> {
    let survey = servers.survey(&without_checkouts()).await;
    let Some(master) = survey.master() else { return Err(no_master(&survey)) };
    let mut direct = servers.direct(&master.name).await?;
    match direct.request(Request::Reread).await.map_err(Failure::unknown)? {
        Reply::Done(words) => {
            put(&format!("{words}\n"))?;
            Ok(Exit::Done)
        }
        Reply::Error(why) => Err(Failure::no(why)),
        Reply::NotMaster(_) => {
            Err(Failure::unknown("the master has just changed, nothing was read").hint("ask again"))
        }
        Reply::Unknown(why) => Err(Failure::unknown(format!("the file may or may not be installed: {why}"))),
        other => Err(Failure::unknown(format!("unexpected answer to reread: {other:?}"))),
    }
}

pub(super) async fn down(servers: &Servers, yes: bool) -> Result<Exit, Failure> {
    let survey = servers.survey(&without_checkouts()).await;
    let names: Vec<String> = survey.servers.iter().map(|server| host_and_port(&server.name)).collect();
    if survey.page.is_none() {
        return Err(no_master(&survey));
    }
    if !yes {
        confirm(&format!("Stop {}: {}?", counted(names.len() as u64, "server"), names.join(", ")))?;
    }
    let mut exit = Exit::Done;
    for server in standbys_first(&survey.servers) {
        let role = server.status.as_ref().map_or("server", |status| status.role.name());
        let name = format!("{role} {}", host_and_port(&server.name));
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

/// The master last, so that nobody takes over from it meanwhile.
pub(super) fn standbys_first(servers: &[SeenServer]) -> Vec<&SeenServer> {
    let mut order: Vec<&SeenServer> = servers.iter().collect();
    order.sort_by_key(|server| server.status.as_ref().is_some_and(|status| status.master));
    order
}

/// Why a server was not stopped.
#[derive(Debug)]
pub(super) enum StopProblem {
    NotRunning,
    Refused(String),
    Unknown(String),
}

/// Stops one server without a handover and waits until its port is closed.
pub(super) async fn stop(servers: &Servers, server: &ServerAddress) -> Result<(), StopProblem> {
    let connecting = licensing_client::Direct::connect(server, &TcpDial).await;
    let mut direct = connecting.map_err(|error| match ask::problem(&error) {
        ProbeProblem::Connect { text, .. } if text == "Connection refused" => StopProblem::NotRunning,
        problem => StopProblem::Unknown(problem.to_string()),
    })?;
    if let Some(key) = &servers.admin_key {
        direct.authenticate(key).await.map_err(|error| StopProblem::Refused(error.to_string()))?;
    }
    match direct.request(Request::Shutdown { hand_over: false }).await {
        Ok(Reply::Done(_)) => {}
        Ok(Reply::Error(why)) => return Err(StopProblem::Refused(why)),
        Ok(other) => return Err(StopProblem::Unknown(format!("unexpected answer: {other:?}"))),
        Err(error) => return Err(StopProblem::Unknown(error.to_string())),
    }
    drop(direct);
    let deadline = Instant::now() + servers.timeout;
    loop {
        match tokio::net::TcpStream::connect((server.host.as_str(), server.port)).await {
            Err(_) => return Ok(()),
            Ok(_) if Instant::now() >= deadline => {
                return Err(StopProblem::Unknown("still answers, though it said that it stops".to_owned()));
            }
            Ok(_) => sleep(LOOK_PAUSE).await,
        }
    }
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
