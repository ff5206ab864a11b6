//! `licensectl primary`.

use super::servers::no_master;
use crate::console::{Failure, put};
use crate::exit::Exit;
use crate::operate::{Servers, without_checkouts};

pub(super) async fn primary(servers: &Servers) -> Result<Exit, Failure> {
    let survey = servers.survey(&without_checkouts()).await;
    let Some(master) = survey.master() else { return Err(no_master(&survey)) };
    put(&format!("{}\n", master.name.host_and_port()))?;
    Ok(Exit::Done)
}
