//! Nobody gets more seats at once than a pool has in all: waiting for them would be in vain.
//!
//! Source: FlexNet error -26, "Request for more licenses than this feature supports".

use super::ask::Ask;
use super::refusal::Refusal;
use crate::pools::Pool;

pub(super) fn judge(ask: &Ask, pool: &Pool) -> Result<(), Refusal> {
    match pool.terms.licensed(ask.at) {
        Some(licensed) if licensed < u64::from(ask.seats.0) => Err(Refusal::Limit { licensed }),
        _ => Ok(()),
    }
}
