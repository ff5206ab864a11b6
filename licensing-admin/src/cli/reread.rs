//! `licensectl reread`.

use licensing_client::protocol::{Reply, Request};

use super::servers::no_master;
use crate::console::{Failure, put};
use crate::exit::Exit;
use crate::operate::{Servers, without_checkouts};

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
