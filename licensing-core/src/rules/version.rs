//! A pool serves the version on its license lines and every lower one.
//!
//! Source: FLEXnet License Administration Guide, "FEATURE and INCREMENT Lines": `feat_version`.

use super::ask::Ask;
use super::refusal::Refusal;
use crate::pools::Pool;

pub(super) fn judge(ask: &Ask, pool: &Pool) -> Result<(), Refusal> {
    if *ask.version <= pool.terms.version {
        return Ok(());
    }
    Err(Refusal::Version { licensed: pool.terms.version.clone() })
}
