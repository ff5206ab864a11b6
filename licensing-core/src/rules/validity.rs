//! A pool serves on days on which one of its lines has started and is not over.
//!
//! Source: FLEXnet License Administration Guide, "FEATURE and INCREMENT Lines": `exp_date` and START.

use super::ask::Ask;
use super::refusal::Refusal;
use crate::pools::Pool;
use crate::pools::terms::Validity;

pub(super) fn judge(ask: &Ask, pool: &Pool) -> Result<(), Refusal> {
    match pool.terms.validity(ask.at) {
        Validity::Now => Ok(()),
        Validity::Later(starts) => Err(Refusal::NotStarted { starts }),
        Validity::Over(ended) => Err(Refusal::Over { ended }),
    }
}
