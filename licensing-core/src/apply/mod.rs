//! What each command does, one verb a file. Every verb takes the state as it is and the entry being applied, and answers
//! with an outcome or a denial; a denial has changed nothing.

pub(crate) mod applying;
mod call;
mod check_in;
mod check_out;
mod due;
mod editions;
mod install;
mod operate;
mod remove;
mod sessions;
mod vendor_data;

use crate::command::MAX_NAME_BYTES;
use crate::outcome::Denial;

fn check_text(name: &str, text: &str) -> Result<(), Denial> {
    if text.len() <= MAX_NAME_BYTES {
        return Ok(());
    }
    let what = format!("the {name} has {} bytes: at most {MAX_NAME_BYTES} are accepted", text.len());
    Err(Denial::InvalidParameter { what })
}

/// A number of things in memory, which are far fewer than 2^32.
fn count(things: usize) -> u32 {
    u32::try_from(things).unwrap_or(u32::MAX)
}
