//! `licensectl primary`.

use licensing_client::text::host_and_port;

use super::servers::no_master;
use crate::console::{Failure, put};
use crate::exit::Exit;
use crate::operate::{Servers, without_checkouts};

pub(super) async fn primary(servers: &Servers) -> Result<Exit, Failure> {
    let survey = servers.survey(&without_checkouts()).await;
    let Some(master) = survey.master() else { return Err(no_master(&survey)) };
    put(&format!("{}\n", host_and_port(&master.name)))?;
    Ok(Exit::Done)
}
