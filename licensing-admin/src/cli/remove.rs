//! `licensectl remove`.

use licensing_core::command::{Action, Removal};
use licensing_core::id::Handle;
use licensing_core::outcome::Outcome;

use crate::console::{Failure, put};
use crate::exit::Exit;
use crate::operate::Servers;

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
