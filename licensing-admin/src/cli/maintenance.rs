//! `licensectl maintenance`.

use licensing_core::command::Action;
use licensing_core::id::Role;

use crate::console::{Failure, put, talk};
use crate::exit::Exit;
use crate::operate::{Servers, wait_for_master, without_checkouts};

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
            Ok(address) => put(&format!("master is now {}\n", address.host_and_port()))?,
            Err(_) => {
                talk(format_args!("warning: nobody can take over from the {role}, it stays master for now"))
            }
        }
    }
    Ok(Exit::Done)
}
