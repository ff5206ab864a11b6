//! What is believed of a proven peer. openraft takes every message at its word; a forged append would be committed, a
//! forged snapshot would wipe the state, a forged term would end the core. So each message is checked here first.

use licensing_core::id::Role;
use licensing_core::mutant::{Mutant, planted};
use openraft::EntryPayload;
use openraft::entry::RaftEntry;

use crate::engine::types::{AppendRequest, LogId, SnapshotMeta, StoredMembership, TransferRequest, Vote};
use crate::peer::message::Report;

/// A term this far ahead of ours is no honest election: at a hundred elections per second it takes a year.
const MAX_TERM_LEAD: u64 = 1 << 32;

/// Longest text in a report, in bytes: a version or a fingerprint, and three of them must fit into a status.
const MAX_REPORT_TEXT: usize = 4096;

/// Most boots that a report names: a server remembers eight.
const MAX_READMITTED: usize = 64;

/// Why a message is not passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Distrust {
    #[error("the {peer} speaks for server {claimed}")]
    Impersonation { peer: Role, claimed: u64 },
    #[error("term {claimed} is too far ahead of term {own}")]
    Term { claimed: u64, own: u64 },
    #[error("entry {found} stands where entry {expected} belongs")]
    Gap { expected: u64, found: u64 },
    #[error("entry {index} is of term {term}, later than its leader's term {leader}")]
    FutureEntry { index: u64, term: u64, leader: u64 },
    #[error("entry {index} is of term {term}, earlier than term {previous} before it")]
    PastEntry { index: u64, term: u64, previous: u64 },
    #[error("the committed entry {index} is of term {term}, later than its leader's term {leader}")]
    FutureCommit { index: u64, term: u64, leader: u64 },
    #[error("it leads in term {term} and is not elected")]
    NotElected { term: u64 },
    #[error("it asks for votes in term {term} and says that it is elected")]
    AlreadyElected { term: u64 },
    #[error(
        "a snapshot up to entry {index} of term {term} contradicts entry {applied}, which is applied here"
    )]
    Rewritten { index: u64, term: u64, applied: u64 },
    #[error("it is longer than any report")]
    Report,
    #[error("its members are {found}, this triad's are servers 1, 2 and 3")]
    Membership { found: String },
}

/// A peer may speak only for itself, in a term that can be.
pub(crate) fn vote(peer: Role, vote: &Vote, own_term: u64) -> Result<(), Distrust> {
    let claimed = vote.leader_id.voted_for;
    if claimed != peer.number() && !planted(Mutant::PeerNotChecked) {
        return Err(Distrust::Impersonation { peer, claimed });
    }
    let claimed = vote.leader_id.term;
    if claimed > own_term.saturating_add(MAX_TERM_LEAD) {
        return Err(Distrust::Term { claimed, own: own_term });
    }
    Ok(())
}

/// A candidate asks for itself, and does not say that it is elected already.
pub(crate) fn candidate(peer: Role, claim: &Vote, own_term: u64) -> Result<(), Distrust> {
    vote(peer, claim, own_term)?;
    if claim.committed {
        return Err(Distrust::AlreadyElected { term: claim.leader_id.term });
    }
    Ok(())
}

/// Entries and snapshots come from a leader that a quorum has elected: openraft's core would not survive another.
fn leader(peer: Role, claim: &Vote, own_term: u64) -> Result<(), Distrust> {
    vote(peer, claim, own_term)?;
    if !claim.committed {
        return Err(Distrust::NotElected { term: claim.leader_id.term });
    }
    Ok(())
}

/// A server reports on itself, in words that fit a status.
pub(crate) fn report(peer: Role, report: &Report) -> Result<(), Distrust> {
    if report.role != peer {
        return Err(Distrust::Impersonation { peer, claimed: report.role.number() });
    }
    if report.software_version.len() > MAX_REPORT_TEXT || report.readmitted.len() > MAX_READMITTED {
        return Err(Distrust::Report);
    }
    Ok(())
}

/// Entries follow each other without a gap, in terms that never fall and never exceed the leader's.
pub(crate) fn append(peer: Role, request: &AppendRequest, own_term: u64) -> Result<(), Distrust> {
    leader(peer, &request.vote, own_term)?;
    let leader = request.vote.leader_id.term;
    let mut previous: Option<LogId> = request.prev_log_id;
    if let Some(id) = &previous
        && **id.committed_leader_id() > leader
    {
        return Err(Distrust::FutureEntry { index: id.index, term: **id.committed_leader_id(), leader });
    }
    for entry in &request.entries {
        let id = entry.log_id();
        // Behind the last index there is, none belongs.
        let expected = previous.map_or(Some(0), |id| id.index.checked_add(1));
        if Some(id.index) != expected {
            return Err(Distrust::Gap { expected: expected.unwrap_or(u64::MAX), found: id.index });
        }
        let term = *id.committed_leader_id();
        if *term > leader {
            return Err(Distrust::FutureEntry { index: id.index, term: *term, leader });
        }
        let before = previous.map_or(0, |id| **id.committed_leader_id());
        if *term < before {
            return Err(Distrust::PastEntry { index: id.index, term: *term, previous: before });
        }
        if let EntryPayload::Membership(members) = &entry.payload {
            membership(&StoredMembership::new(Some(id), members.clone()))?;
        }
        previous = Some(id);
    }
    if let Some(commit) = &request.leader_commit
        && **commit.committed_leader_id() > leader
    {
        let term = **commit.committed_leader_id();
        return Err(Distrust::FutureCommit { index: commit.index, term, leader });
    }
    Ok(())
}

/// A handover is announced by the leader that hands over.
pub(crate) fn transfer(peer: Role, request: &TransferRequest, own_term: u64) -> Result<(), Distrust> {
    vote(peer, request.from_leader(), own_term)
}

/// A snapshot is of this triad, and does not take back what is `applied` here.
pub(crate) fn snapshot(
    peer: Role,
    claim: &Vote,
    meta: &SnapshotMeta,
    own_term: u64,
    applied: Option<LogId>,
) -> Result<(), Distrust> {
    leader(peer, claim, own_term)?;
    if let Some(id) = &meta.last_log_id {
        let (term, leader) = (**id.committed_leader_id(), claim.leader_id.term);
        if term > leader {
            return Err(Distrust::FutureEntry { index: id.index, term, leader });
        }
        // Later by its term and not by its index: openraft asserts that this cannot be.
        if let Some(applied) = applied
            && *id > applied
            && id.index <= applied.index
        {
            return Err(Distrust::Rewritten { index: id.index, term, applied: applied.index });
        }
    }
    membership(&meta.last_membership)
}

fn membership(stored: &StoredMembership) -> Result<(), Distrust> {
    let configs = stored.membership().get_joint_config();
    let nodes: Vec<u64> = stored.membership().nodes().map(|(id, _)| *id).collect();
    if configs.len() == 1 && configs[0].iter().eq([1, 2, 3].iter()) && nodes == [1, 2, 3] {
        return Ok(());
    }
    Err(Distrust::Membership { found: format!("{configs:?}") })
}

#[cfg(test)]
mod tests {
    use openraft::vote::RaftLeaderId;

    use super::*;
    use crate::engine::types::{Entry, Types};

    type LeaderId = openraft::alias::LeaderIdOf<Types>;

    fn id(term: u64, index: u64) -> LogId {
        LogId::new(LeaderId::new(term, 1).to_committed(), index)
    }

    fn blank(term: u64, index: u64) -> Entry {
        Entry::new(id(term, index), EntryPayload::Blank)
    }

    fn leader_vote(term: u64, node: u64) -> Vote {
        Vote { leader_id: LeaderId::new(term, node), committed: true }
    }

    fn members(ids: &[u64]) -> StoredMembership {
        let ids: std::collections::BTreeSet<u64> = ids.iter().copied().collect();
        let members = openraft::Membership::new_with_defaults(vec![ids.clone()], ids);
        StoredMembership::new(Some(id(1, 0)), members)
    }

    /// An append of the primary, leader of term 3, behind entry 10 of term 2; `forge` changes it.
    fn judge(forge: impl FnOnce(&mut AppendRequest)) -> Result<(), Distrust> {
        let mut request = AppendRequest {
            vote: leader_vote(3, 1),
            prev_log_id: Some(id(2, 10)),
            entries: vec![blank(2, 11), blank(3, 12)],
            leader_commit: Some(id(2, 10)),
        };
        forge(&mut request);
        append(Role::Primary, &request, 3)
    }

    #[test]
    fn an_honest_append_is_believed() {
        assert_eq!(judge(|_| {}), Ok(()));
        assert_eq!(judge(|request| request.entries.clear()), Ok(()));
        assert_eq!(
            judge(|request| (request.prev_log_id, request.entries) = (None, vec![blank(0, 0), blank(3, 1)])),
            Ok(())
        );
    }

    #[test]
    fn a_forged_append_is_not() {
        let peer = Role::Primary;
        assert_eq!(
            judge(|request| request.vote = leader_vote(1000, 99)),
            Err(Distrust::Impersonation { peer, claimed: 99 })
        );
        assert_eq!(
            judge(|request| request.vote = leader_vote(3, 2)),
            Err(Distrust::Impersonation { peer, claimed: 2 })
        );
        assert_eq!(
            judge(|request| request.vote = leader_vote(u64::MAX, 1)),
            Err(Distrust::Term { claimed: u64::MAX, own: 3 })
        );
        assert_eq!(
            judge(|request| request.entries = vec![blank(3, 50)]),
            Err(Distrust::Gap { expected: 11, found: 50 })
        );
        assert_eq!(
            judge(|request| request.entries = vec![blank(3, 11), blank(3, 11)]),
            Err(Distrust::Gap { expected: 12, found: 11 })
        );
        assert_eq!(
            judge(|request| {
                (request.prev_log_id, request.entries) = (Some(id(2, u64::MAX)), vec![blank(2, u64::MAX)]);
            }),
            Err(Distrust::Gap { expected: u64::MAX, found: u64::MAX })
        );
        assert_eq!(
            judge(|request| (request.prev_log_id, request.entries) = (Some(id(4, 10)), vec![])),
            Err(Distrust::FutureEntry { index: 10, term: 4, leader: 3 })
        );
        assert_eq!(
            judge(|request| request.entries = vec![blank(4, 11)]),
            Err(Distrust::FutureEntry { index: 11, term: 4, leader: 3 })
        );
        assert_eq!(
            judge(|request| request.entries = vec![blank(1, 11)]),
            Err(Distrust::PastEntry { index: 11, term: 1, previous: 2 })
        );
        assert_eq!(
            judge(|request| request.leader_commit = Some(id(9, 10))),
            Err(Distrust::FutureCommit { index: 10, term: 9, leader: 3 })
        );
        let strangers = members(&[1, 2, 99]).membership().clone();
        let takeover = Entry::new(id(3, 11), EntryPayload::Membership(strangers));
        assert!(matches!(
            judge(|request| request.entries = vec![takeover]),
            Err(Distrust::Membership { .. })
        ));
    }

    #[test]
    fn a_snapshot_must_be_of_this_triad_and_of_its_leaders_past() {
        let judge = |members, last: LogId| {
            let meta = SnapshotMeta { last_log_id: Some(last), last_membership: members };
            snapshot(Role::Primary, &leader_vote(3, 1), &meta, 3, Some(id(2, 6)))
        };
        assert_eq!(judge(members(&[1, 2, 3]), id(3, 7)), Ok(()));
        assert!(matches!(judge(members(&[]), id(3, 7)), Err(Distrust::Membership { .. })));
        assert!(matches!(judge(members(&[1, 2]), id(3, 7)), Err(Distrust::Membership { .. })));
        assert!(matches!(judge(members(&[1, 2, 3, 4]), id(3, 7)), Err(Distrust::Membership { .. })));
        assert!(matches!(judge(members(&[1, 2, 3]), id(4, 7)), Err(Distrust::FutureEntry { .. })));
        // What is applied already is no contradiction, however late it comes again.
        assert_eq!(judge(members(&[1, 2, 3]), id(2, 6)), Ok(()));
        assert_eq!(judge(members(&[1, 2, 3]), id(1, 5)), Ok(()));
        assert_eq!(
            judge(members(&[1, 2, 3]), id(3, 6)),
            Err(Distrust::Rewritten { index: 6, term: 3, applied: 6 })
        );
    }

    #[test]
    fn a_candidate_does_not_lead_and_a_leader_does_not_campaign() {
        let candidate_vote = Vote { committed: false, ..leader_vote(3, 1) };
        assert_eq!(candidate(Role::Primary, &candidate_vote, 3), Ok(()));
        assert_eq!(
            candidate(Role::Primary, &leader_vote(3, 1), 3),
            Err(Distrust::AlreadyElected { term: 3 })
        );
        assert_eq!(judge(|request| request.vote = candidate_vote), Err(Distrust::NotElected { term: 3 }));
    }
}
