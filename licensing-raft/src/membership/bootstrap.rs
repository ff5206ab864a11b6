//! How a server becomes a member of a triad: by founding it with the others, or by catching up with one that exists.
//!
//! ```text
//! Unborn ──all three empty, the primary asks──▶ Founding (primary) / Member (others) ──initialized──▶ Member
//!   └─────somebody has a history──────────────▶ Joining ──has everything the leader had──────────────▶ Member
//! ```
//! A single server founds a triad of itself. Only members vote. So the loss of a data directory can never make a server
//! contradict what it once acknowledged, and no command is needed to replace a disk. A member without a single entry is only
//! promised: if its founder lost its disk before the first decision, it follows whoever founds next.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use licensing_core::id::{LogIndex, Role};
use openraft::async_runtime::WatchReceiver;

use crate::membership::standing::{Standing, TriadId};
use crate::peer::known::{ANSWER_TTL, UNSETTLED_INTERVAL};
use crate::peer::message::{PeerReply, PeerRequest, Report};
use crate::shared::Shared;

/// Works on the membership of this server until it is a full one.
pub(crate) async fn settle(shared: Arc<Shared>) {
    let mut goal = None;
    loop {
        match shared.standing.read() {
            Standing::Member { .. } if shared.has_history() => return,
            // Only promised: it may still have to join another triad.
            Standing::Member { .. } => {}
            Standing::Unborn => unborn(&shared),
            Standing::Founding { triad_id } => founding(&shared, triad_id).await,
            Standing::Joining { triad_id } => joining(&shared, triad_id, &mut goal),
        }
        crate::time::sleep(UNSETTLED_INTERVAL).await;
    }
}

/// Another server is about to found the triad: agree, if there is nothing to lose here.
pub(crate) async fn agree(shared: &Shared, triad_id: TriadId) -> Result<(), String> {
    let _beginning = shared.beginning.lock().await;
    let standing = shared.standing.read();
    if shared.has_history() {
        return Err(format!("the {} already has a history", shared.config.role));
    }
    match standing {
        Standing::Unborn | Standing::Member { .. } => {
            shared.is_new.store(true, Ordering::SeqCst);
            change(shared, Standing::Member { triad_id })
        }
        Standing::Founding { .. } => Err(format!("the {} is founding the triad itself", shared.config.role)),
        Standing::Joining { .. } => {
            Err(format!("the {} lost its log and must not found anew", shared.config.role))
        }
    }
}

pub(super) fn change(shared: &Shared, standing: Standing) -> Result<(), String> {
    shared.standing.write(&standing).map_err(|error| {
        let why = format!("cannot write the standing of this server: {error}");
        shared.failure.fail(why.clone());
        why
    })?;
    tracing::info!("this server is now {}", describe(&standing));
    Ok(())
}

fn describe(standing: &Standing) -> String {
    match standing {
        Standing::Unborn => "waiting for the others to found the triad".to_owned(),
        Standing::Founding { triad_id } => format!("founding triad {triad_id}"),
        Standing::Joining { .. } => "catching up, it votes again once it has".to_owned(),
        Standing::Member { triad_id } => format!("a full member of triad {triad_id}"),
    }
}

fn unborn(shared: &Shared) {
    let heard: Vec<_> = shared.config.others().map(|role| shared.survey.fresh(role)).collect();
    if let Some(elder) = heard.iter().flatten().find(|heard| heard.report.has_history()) {
        // A failed write has stopped the node.
        let _ = change(shared, Standing::Joining { triad_id: elder.report.standing.triad_id() });
        return;
    }
    let founder = shared.config.role == Role::Primary || shared.config.force_bootstrap;
    let ready = heard
        .iter()
        .flatten()
        .filter(|heard| matches!(heard.report.standing, Standing::Unborn | Standing::Member { .. }))
        .count();
    if founder && ready >= needed(shared) {
        match shared.environment.randomness.bytes() {
            Ok(bytes) => {
                let triad_id = TriadId(bytes[..16].try_into().unwrap_or_default());
                let _ = change(shared, Standing::Founding { triad_id });
            }
            Err(error) => shared.failure.fail(format!("cannot draw a name for the triad: {error}")),
        }
    }
}

/// So many others must be there, and agree, for a triad to be founded; a single server is founded by itself.
fn needed(shared: &Shared) -> usize {
    let others = shared.config.others().count();
    if shared.config.force_bootstrap { others.min(1) } else { others }
}

async fn founding(shared: &Shared, triad_id: TriadId) {
    let mut agreed = 0;
    for role in shared.config.others() {
        let Some(links) = shared.networks.links(role) else { continue };
        match links.control.call(PeerRequest::Found(triad_id), ANSWER_TTL).await {
            Ok(PeerReply::Found) => agreed += 1,
            Ok(PeerReply::Refused(why)) if !shared.has_history() => {
                tracing::warn!("the {role} does not agree to found the triad: {why}");
                let elder = shared.survey.fresh(role).filter(|heard| heard.report.has_history());
                if let Some(elder) = elder {
                    let _ = change(shared, Standing::Joining { triad_id: elder.report.standing.triad_id() });
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => tracing::debug!("founding waits: {error}"),
        }
    }
    if agreed < needed(shared) && !shared.has_history() {
        return;
    }
    let _beginning = shared.beginning.lock().await;
    if shared.standing.read() != (Standing::Founding { triad_id }) {
        // It has met a triad that exists.
        return;
    }
    let members: BTreeSet<u64> = shared.config.roles().map(Role::number).collect();
    // An error here means that it was initialized before a crash: what we want.
    if let Err(error) = shared.raft.initialize(members).await {
        tracing::debug!("already initialized: {error}");
    }
    // A member without the first entry would wait for a leader that nobody can become. openraft answers before the entry
    // is on the disk.
    if let Err(error) = shared.log.settle().await {
        return shared.failure.fail(format!("cannot found the triad: {error}"));
    }
    shared.is_new.store(true, Ordering::SeqCst);
    let _ = change(shared, Standing::Member { triad_id });
}

/// Membership comes back once this server holds everything the leader held when it was readmitted: every entry this
/// server may have acknowledged in its former life is among them, because that leader was heard by the third server
/// after this one had returned (`readmission`): nobody else could have been elected, nor anything decided without it.
fn joining(shared: &Shared, triad_id: Option<TriadId>, goal: &mut Option<LogIndex>) {
    let mut leaders = shared.config.others().filter(|role| shared.is_readmitted_by(*role));
    let Some(leader) = leaders.next().and_then(|role| shared.survey.fresh(role)) else { return };
    let triad_id = triad_id.or(leader.report.standing.triad_id());
    if goal.is_none() {
        *goal = everything(&leader.report);
    }
    let applied = shared.raft.metrics().borrow_watched().last_applied.map(|id| LogIndex(id.index));
    if let (Some(goal), Some(triad_id)) = (*goal, triad_id)
        && applied >= Some(goal)
    {
        let _ = change(shared, Standing::Member { triad_id });
    }
}

/// What a leader holds, applied or not: what this server once acknowledged may be decided by that alone, and its
/// acknowledgement may still be under way.
fn everything(report: &Report) -> Option<LogIndex> {
    report.last_log_index
}

#[cfg(test)]
mod tests {
    use licensing_core::edition::Edition;
    use licensing_core::id::Timestamp;

    use super::*;

    #[test]
    fn membership_comes_back_with_all_that_the_leader_holds_and_not_with_what_it_has_applied() {
        let index = |index: u64| Some(LogIndex(index));
        let report = |last_log_index, applied_index| Report {
            role: Role::Primary,
            boot: [0; 16],
            standing: Standing::Member { triad_id: TriadId([1; 16]) },
            leads: true,
            last_log_index,
            applied_index,
            clock: Timestamp(0),
            leaving: false,
            software_version: String::new(),
            known_edition: Edition::NEWEST,
            readmitted: Vec::new(),
        };
        for (last, applied) in [(9, 5), (9, 9), (1, 0)] {
            assert_eq!(everything(&report(index(last), index(applied))), index(last));
        }
        assert_eq!(everything(&report(index(3), None)), index(3));
    }
}
