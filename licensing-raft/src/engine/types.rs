//! The type parameters of openraft, named here and only here.

use std::fmt;

use bytes::Bytes;
use licensing_core::outcome::Answer;
use openraft::alias;
use serde::{Deserialize, Serialize};

use crate::engine::runtime::NodeRuntime;

openraft::declare_raft_types!(
    /// openraft as this triad uses it. Leader ids are totally ordered by term (`leader_id_std`): with the default, a
    /// simultaneous first start would always elect the tertiary.
    pub(crate) Types:
        D = Payload,
        R = Option<Answer>,
        NodeId = u64,
        Node = openraft::EmptyNode,
        Term = u64,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = NodeRuntime,
);

pub(crate) type Entry = alias::EntryOf<Types>;
pub(crate) type LogId = alias::LogIdOf<Types>;
pub(crate) type Vote = alias::VoteOf<Types>;
pub(crate) type StoredMembership = alias::StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = alias::SnapshotMetaOf<Types>;
pub(crate) type Snapshot = alias::SnapshotOf<Types, Bytes>;
pub(crate) type Metrics = openraft::RaftMetrics<Types>;
pub(crate) type AppendRequest = openraft::raft::AppendEntriesRequest<Types>;
pub(crate) type AppendResponse = openraft::raft::AppendEntriesResponse<Types>;
pub(crate) type VoteRequest = openraft::raft::VoteRequest<Types>;
pub(crate) type VoteResponse = openraft::raft::VoteResponse<Types>;
pub(crate) type TransferRequest = openraft::raft::TransferLeaderRequest<Types>;
/// What a proposal comes to; an error when the engine stopped.
pub(crate) type Decided = alias::OneshotReceiverOf<Types, openraft::raft::ClientWriteResult<Types>>;
pub(crate) type TransferResponse = openraft::raft::TransferLeaderResponse<Types>;

/// An encoded proposal. It is encoded once, where it is proposed, and decoded once per server, where it is applied;
/// log, disk and network carry it as bytes that are shared, not copied.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payload(pub(crate) Bytes);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
