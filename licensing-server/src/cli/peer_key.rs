//! `licensing-server peer-key`.

use std::path::Path;

use super::{Failure, put, talk};
use crate::exit::Exit;
use crate::key_file::{self, KeyFileError};

pub(super) fn make(file: Option<&Path>) -> Result<Exit, Failure> {
    let key = key_file::generate().map_err(Failure::no)?;
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
