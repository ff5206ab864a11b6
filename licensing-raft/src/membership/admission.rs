//! Whom a server hears: servers of its own triad, and while it is no full member only a leader that knows how little it
//! remembers.

use licensing_core::id::Role;
use tokio::sync::MutexGuard;

use crate::membership::bootstrap::change;
use crate::membership::standing::{Standing, TriadId};
use crate::shared::Shared;

/// A server without full membership hears only a leader that knows how little it remembers.
fn hears(shared: &Shared, peer: Role) -> Result<(), String> {
    match shared.standing.read() {
        Standing::Member { .. } | Standing::Founding { .. } => Ok(()),
        Standing::Unborn => Err("this server does not belong to a triad yet".to_owned()),
        Standing::Joining { .. } if shared.is_readmitted_by(peer) => Ok(()),
        Standing::Joining { .. } => Err("this server lost its log and waits to be readmitted".to_owned()),
    }
}

/// Whether entries and heartbeats of `peer`, whose hello named the triad `theirs`, may be taken. While they are the first,
/// what is returned is held until they have been.
pub(crate) async fn may_take_entries(
    shared: &Shared,
    peer: Role,
    theirs: Option<TriadId>,
) -> Result<Option<MutexGuard<'_, ()>>, String> {
    hears(shared, peer)?;
    is_of_the_same_triad(shared, peer, theirs).await
}

/// Whether `peer`, whose hello named the triad `theirs`, may ask for what only members ask of each other.
///
/// A server without a history that was promised to another triad joins this one: the promise binds it to nothing. It joins as
/// one that lost its disk does, for it may stand in the place of one that did: it neither votes nor hears a leader before.
pub(crate) async fn is_of_the_same_triad(
    shared: &Shared,
    peer: Role,
    theirs: Option<TriadId>,
) -> Result<Option<MutexGuard<'_, ()>>, String> {
    let first = if shared.has_history() { None } else { Some(shared.beginning.lock().await) };
    let Some(theirs) = theirs else {
        return Err(format!("the {peer} named no triad when it said hello"));
    };
    match shared.standing.read().triad_id() {
        Some(own) if own == theirs => Ok(first),
        // It learns the name with its first entries.
        None => Ok(first),
        Some(own) if shared.has_history() => {
            Err(format!("the {peer} is of triad {theirs}, the {} of {own}", shared.config.role))
        }
        Some(_) => {
            change(shared, Standing::Joining { triad_id: Some(theirs) })?;
            Err(format!(
                "the {} leaves a triad that never began, and waits to be readmitted",
                shared.config.role
            ))
        }
    }
}
