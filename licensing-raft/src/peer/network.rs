//! The peers as openraft sees them: each request goes down the lane it belongs to, appends are pipelined.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use licensing_core::id::Role;
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{SnapshotResponse, StreamAppendResult};
use openraft::{AnyError, EmptyNode, OptionalSend, RaftNetworkFactory, RaftNetworkV2};

use crate::engine::types::{
    AppendRequest, AppendResponse, Snapshot, TransferRequest, TransferResponse, Types, Vote, VoteRequest,
    VoteResponse,
};
use crate::peer::failure::{RpcResult, rpc_error, streaming, unexpected};
use crate::peer::link::Link;
use crate::peer::message::{Chunk, PeerReply, PeerRequest};
use crate::peer::pipeline::{AppendLane, IsPurged, Progressed, pipelined};
use crate::peer::under_way::{bytes_of, travel_time};

/// A chunk travels and is kept; the last one is installed, which decodes up to a million checkouts.
pub(crate) const CHUNK_TTL: Duration = Duration::from_secs(10);

/// The lanes to one peer.
#[derive(Clone)]
pub(crate) struct PeerLinks {
    pub(crate) log: Link,
    pub(crate) control: Link,
    pub(crate) snapshot: Link,
    /// See [`Pieces::chunk_bytes`](crate::Pieces::chunk_bytes).
    pub(crate) chunk_bytes: usize,
    /// When the peer last took entries, or a snapshot or a part of one.
    pub(crate) progressed: Progressed,
    /// Whether this server has an entry only in a snapshot.
    pub(crate) is_purged: IsPurged,
}

/// Makes networks to the two peers.
#[derive(Clone)]
pub(crate) struct PeerNetworks {
    /// By [`Role::place`]; the own place is empty.
    pub(crate) links: [Option<PeerLinks>; 3],
    /// How long an append may take before its connection is given up: an fsync stalls for 100 ms now and then. One with many
    /// bytes has longer, see [`travel_time`].
    pub(crate) append_ttl: Duration,
    /// How old an unanswered append may be when the next is taken; see [`pipelined`].
    pub(crate) append_patience: Duration,
    /// The term of the last leader that told this server to take over.
    pub(crate) told_to_lead: Arc<Mutex<Option<u64>>>,
}

impl PeerNetworks {
    /// A leader of this term tells this server to take over.
    pub(crate) fn told_to_lead(&self, term: u64) {
        *self.told_to_lead.lock().unwrap_or_else(PoisonError::into_inner) = Some(term);
    }

    pub(crate) fn links(&self, role: Role) -> Option<&PeerLinks> {
        self.links[role.place()].as_ref()
    }

    fn network(&self, target: u64, heartbeats: bool) -> PeerNetwork {
        let links = Role::from_number(target).and_then(|role| self.links(role));
        PeerNetwork {
            links: links.cloned(),
            heartbeats,
            append_ttl: self.append_ttl,
            append_patience: self.append_patience,
            told_to_lead: self.told_to_lead.clone(),
        }
    }
}

impl RaftNetworkFactory<Types> for PeerNetworks {
    type Network = PeerNetwork;

    async fn new_client(&mut self, target: u64, _node: &EmptyNode) -> PeerNetwork {
        self.network(target, false)
    }

    async fn new_heartbeat_client(&mut self, target: u64, _node: &EmptyNode) -> PeerNetwork {
        self.network(target, true)
    }

    async fn new_snapshot_client(&mut self, target: u64, _node: &EmptyNode) -> PeerNetwork {
        self.network(target, false)
    }
}

/// One peer, for one purpose of openraft's.
pub(crate) struct PeerNetwork {
    links: Option<PeerLinks>,
    /// Whether appends are heartbeats, which must not wait behind entries.
    heartbeats: bool,
    append_ttl: Duration,
    append_patience: Duration,
    told_to_lead: Arc<Mutex<Option<u64>>>,
}

impl PeerNetwork {
    fn links(&self) -> RpcResult<&PeerLinks> {
        // openraft only knows the three members; a fourth would be its bug, not a reason to panic.
        let missing =
            || RPCError::Unreachable(Unreachable::new(&AnyError::error("not a server of this triad")));
        self.links.as_ref().ok_or_else(missing)
    }

    fn lane(&self) -> RpcResult<AppendLane> {
        let links = self.links()?;
        let link = if self.heartbeats { &links.control } else { &links.log };
        Ok(AppendLane {
            link: link.clone(),
            heartbeats: self.heartbeats,
            progressed: links.progressed.clone(),
            is_purged: links.is_purged.clone(),
        })
    }

    /// Whether a leader asked for this election: then voters need not wait for its lease. If this server only knows that the leader
    /// is dead (`mastership::evidence`), it takes openraft the same way, and the others must find out for themselves.
    fn was_told_to_lead(&self, vote: &Vote) -> bool {
        let told = *self.told_to_lead.lock().unwrap_or_else(PoisonError::into_inner);
        told.is_some_and(|term| vote.leader_id.term == term + 1)
    }

    async fn control(&self, request: PeerRequest, option: RPCOption) -> RpcResult<PeerReply> {
        self.links()?.control.call(request, option.hard_ttl()).await.map_err(rpc_error)
    }
}

impl RaftNetworkV2<Types> for PeerNetwork {
    type SnapshotData = Bytes;

    async fn append_entries(
        &mut self,
        request: AppendRequest,
        _option: RPCOption,
    ) -> RpcResult<AppendResponse> {
        let lane = self.lane()?;
        let ttl = self.append_ttl + travel_time(bytes_of(&request));
        match lane.link.call(PeerRequest::Append(request), ttl).await.map_err(rpc_error)? {
            PeerReply::Append(response) => Ok(response),
            other => Err(unexpected(&other)),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<'s, RpcResult<BoxStream<'s, RpcResult<StreamAppendResult<Types>>>>>
    where
        S: Stream<Item = AppendRequest> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            Ok(Box::pin(pipelined(self.lane()?, input, self.append_ttl, self.append_patience))
                as BoxStream<'s, _>)
        })
    }

    async fn vote(&mut self, mut request: VoteRequest, option: RPCOption) -> RpcResult<VoteResponse> {
        request.leadership_transfer &= self.was_told_to_lead(&request.vote);
        match self.control(PeerRequest::Vote(request), option).await? {
            PeerReply::Vote(response) => Ok(response),
            other => Err(unexpected(&other)),
        }
    }

    async fn pre_vote(&mut self, request: VoteRequest, option: RPCOption) -> RpcResult<VoteResponse> {
        match self.control(PeerRequest::PreVote(request), option).await? {
            PeerReply::Vote(response) => Ok(response),
            other => Err(unexpected(&other)),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let links = self.links().map_err(streaming)?.clone();
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = send_snapshot(&links, vote, snapshot) => sent.map_err(streaming),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferRequest,
        option: RPCOption,
    ) -> RpcResult<TransferResponse> {
        match self.control(PeerRequest::Transfer(request), option).await? {
            PeerReply::Transfer(response) => Ok(response),
            other => Err(unexpected(&other)),
        }
    }
}

async fn send_snapshot(
    links: &PeerLinks,
    vote: Vote,
    snapshot: Snapshot,
) -> RpcResult<SnapshotResponse<Types>> {
    let state = snapshot.snapshot;
    let checksum = crc32c::crc32c(&state);
    let mut offset = 0;
    loop {
        let end = state.len().min(offset + links.chunk_bytes);
        let chunk = Chunk {
            vote,
            meta: snapshot.meta.clone(),
            total: state.len() as u64,
            offset: offset as u64,
            checksum,
            bytes: state.slice(offset..end),
        };
        match links.snapshot.call(PeerRequest::Snapshot(chunk), CHUNK_TTL).await.map_err(rpc_error)? {
            PeerReply::Snapshot(Some(vote)) => {
                links.progressed.took_snapshot();
                return Ok(SnapshotResponse::new(vote));
            }
            PeerReply::Snapshot(None) if end < state.len() => {
                links.progressed.took_chunk();
                offset = end;
            }
            other => return Err(unexpected(&other)),
        }
    }
}
