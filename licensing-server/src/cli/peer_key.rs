//! `licensing-server peer-key`.

use std::path::Path;

use licensing_admin::console::{Failure, put, talk};
use licensing_admin::exit::Exit;
use licensing_admin::key_file::{self, KeyFileError};
use licensing_raft::PeerKey;

pub(super) fn make(file: Option<&Path>) -> Result<Exit, Failure> {
    let key = PeerKey::generate().map_err(Failure::no)?.to_hex();
    let Some(path) = file else {
        put(&format!("{key}\n"))?;
        return Ok(Exit::Done);
    };
    key_file::write_new(path, &key).map_err(|problem| match problem {
        KeyFileError::Exists { .. } => Failure::no(problem).hint("remove it first, or give another name"),
        problem => Failure::no(problem),
    })?;
    talk(format_args!(
        "wrote {}: copy it to all three servers and start each with it (--peer-key or --admin-key)",
        path.display()
    ));
    Ok(Exit::Done)
}
