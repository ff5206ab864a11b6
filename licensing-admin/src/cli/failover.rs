//! `licensectl failover`.

use clap::ValueEnum;
use licensing_core::command::Action;
use licensing_core::id::Role;
use tokio::time::Instant;

use crate::console::{Failure, put};
use crate::exit::Exit;
use crate::operate::{Servers, wait_for_master, without_checkouts};

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
        master.host_and_port(),
        begun.elapsed().as_millis()
    ))?;
    Ok(Exit::Done)
}
