//! The seats asked for and those that are out must together be licensed now.
//!
//! Source: FlexNet error -4, "Licensed number of users already reached".

use super::ask::Ask;
use super::refusal::Refusal;
use crate::mutant::{Mutant, planted};
use crate::pools::Pool;

pub(super) fn judge(ask: &Ask, pool: &Pool) -> Result<(), Refusal> {
    let Some(licensed) = pool.terms.licensed(ask.at) else { return Ok(()) };
    let most = licensed + u64::from(planted(Mutant::OneSeatMore));
    if pool.in_use.saturating_add(u64::from(ask.seats.0)) <= most {
        return Ok(());
    }
    Err(Refusal::Room { in_use: pool.in_use, licensed })
}
