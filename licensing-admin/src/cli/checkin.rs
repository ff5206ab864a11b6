//! `licensectl checkin`.

use licensing_core::command::{Action, Removal};
use licensing_core::id::{Handle, Token};

use crate::console::{Failure, put};
use crate::exit::Exit;
use crate::operate::Servers;

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
