//! What is believed of a proven peer. openraft takes every message at its word; a forged append would be committed, a
//! forged snapshot would wipe the state, a forged term would end the core. So each message is checked here first.

use licensing_core::id::Role;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;

use crate::types::{AppendRequest, LogId, SnapshotMeta, StoredMembership, TransferRequest, Vote};

/// A term this far ahead of ours is no honest election: at a hundred elections per second it takes a year.
const MAX_TERM_LEAD: u64 = 1 << 32;

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
    #[error("its members are {found}, this triad's are servers 1, 2 and 3")]
    Membership { found: String },
}

/// A peer may speak only for itself, in a term that can be.
pub(crate) fn vote(peer: Role, vote: &Vote, own_term: u64) -> Result<(), Distrust> {
    let claimed = vote.leader_id.voted_for;
    if claimed != peer.number() {
        return Err(Distrust::Impersonation { peer, claimed });
    }
    let claimed = vote.leader_id.term;
    if claimed > own_term.saturating_add(MAX_TERM_LEAD) {
        return Err(Distrust::Term { claimed, own: own_term });
    }
    Ok(())
}

/// Entries follow each other without a gap, in terms that never fall and never exceed the leader's.
pub(crate) fn append(peer: Role, request: &AppendRequest, own_term: u64) -> Result<(), Distrust> {
    vote(peer, &request.vote, own_term)?;
    let leader = request.vote.leader_id.term;
    let mut previous: Option<LogId> = request.prev_log_id;
    for entry in &request.entries {
        let id = entry.log_id();
        let expected = previous.map_or(0, |id| id.index.saturating_add(1));
        if id.index != expected {
            return Err(Distrust::Gap { expected, found: id.index });
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

/// A snapshot is of this triad.
pub(crate) fn snapshot(
    peer: Role,
    leader: &Vote,
    meta: &SnapshotMeta,
    own_term: u64,
) -> Result<(), Distrust> {
    vote(peer, leader, own_term)?;
    if let Some(id) = &meta.last_log_id
        && **id.committed_leader_id() > leader.leader_id.term
    {
        let term = **id.committed_leader_id();
        return Err(Distrust::FutureEntry { index: id.index, term, leader: leader.leader_id.term });
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
