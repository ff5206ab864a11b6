//! Which pool serves a checkout, and why none does.
//!
//! Every pool of the feature, in rank order, goes before the judges of [`ORDER`]; the first that passes them all serves.
//! When none does, the answer is the refusal of the judge that the pool which got furthest stopped at, and where several
//! pools stopped there, what they say is put together ([`Refusal::or`]). The order is that of the FLEXnet options rules,
//! most restrictive first, where they overlap with it.
//!
//! A judge is pure: it sees the ask and one pool, changes nothing and makes no text.

mod ask;
mod limit;
mod refusal;
mod room;
mod validity;
mod version;

use crate::id::PoolId;
use crate::outcome::Denial;
use crate::pools::Pool;

pub(crate) use ask::Ask;
use refusal::Refusal;

/// Judges one pool.
type Judge = fn(&Ask, &Pool) -> Result<(), Refusal>;

/// THE ORDER in which a pool is judged.
const ORDER: [Judge; 4] = [version::judge, validity::judge, limit::judge, room::judge];

/// The pool that serves the ask, of the feature's `pools` in rank order.
///
/// # Errors
///
/// What the judge says at whom the pool that got furthest stopped. `pools` are never empty: a feature without pools is
/// unknown.
pub(crate) fn choose<'a>(
    pools: impl Iterator<Item = (PoolId, &'a Pool)>,
    ask: &Ask,
) -> Result<PoolId, Denial> {
    let mut furthest: Option<(usize, Refusal)> = None;
    for (id, pool) in pools {
        let stopped =
            ORDER.iter().enumerate().find_map(|(place, judge)| Some((place, judge(ask, pool).err()?)));
        let Some((place, refusal)) = stopped else { return Ok(id) };
        furthest = Some(match furthest.take() {
            Some((before, known)) if before > place => (before, known),
            Some((before, known)) if before == place => (before, known.or(refusal)),
            _ => (place, refusal),
        });
    }
    Err(furthest.map_or_else(
        || Denial::UnknownFeature { feature: ask.feature.to_owned() },
        |(_, refusal)| refusal.into_denial(ask),
    ))
}
