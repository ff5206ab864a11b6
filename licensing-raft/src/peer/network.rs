//! The peers as openraft sees them: each request goes down the lane it belongs to, appends are pipelined.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use licensing_core::id::Role;
use openraft::base::{BoxFuture, BoxStream};
use openraft::entry::RaftEntry;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{SnapshotResponse, StreamAppendResult};
use openraft::{AnyError, EmptyNode, OptionalSend, RaftNetworkFactory, RaftNetworkV2};

use crate::peer::link::{Link, LinkError};
use crate::peer::message::{CHUNK_BYTES, Chunk, PeerReply, PeerRequest};
use crate::types::{
    AppendRequest, AppendResponse, LogId, Snapshot, TransferRequest, TransferResponse, Types, Vote,
    VoteRequest, VoteResponse,
};

/// Appends under way to one peer: enough to hide a round trip behind a commit, few enough that a lost one is noticed.
const PIPELINE: usize = 16;

/// A chunk travels and is kept; the last one is installed, which decodes up to a million checkouts.
const CHUNK_TTL: Duration = Duration::from_secs(10);

/// The lanes to one peer.
#[derive(Clone)]
pub(crate) struct PeerLinks {
    pub(crate) log: Link,
    pub(crate) control: Link,
    pub(crate) snapshot: Link,
}

/// Makes networks to the two peers.
#[derive(Clone)]
pub(crate) struct PeerNetworks {
    /// By [`Role::place`]; the own place is empty.
    pub(crate) links: [Option<PeerLinks>; 3],
    /// How long an append may take before its connection is given up: an fsync stalls for 100 ms now and then.
    pub(crate) append_ttl: Duration,
}

impl PeerNetworks {
    pub(crate) fn links(&self, role: Role) -> Option<&PeerLinks> {
        self.links[role.place()].as_ref()
    }

    fn network(&self, target: u64, appends: fn(&PeerLinks) -> &Link) -> PeerNetwork {
        let links = Role::from_number(target).and_then(|role| self.links(role));
        PeerNetwork { links: links.cloned(), appends, append_ttl: self.append_ttl }
    }
}

impl RaftNetworkFactory<Types> for PeerNetworks {
    type Network = PeerNetwork;

    async fn new_client(&mut self, target: u64, _node: &EmptyNode) -> PeerNetwork {
        self.network(target, |links| &links.log)
    }

    async fn new_heartbeat_client(&mut self, target: u64, _node: &EmptyNode) -> PeerNetwork {
        self.network(target, |links| &links.control)
    }

    async fn new_snapshot_client(&mut self, target: u64, _node: &EmptyNode) -> PeerNetwork {
        self.network(target, |links| &links.log)
    }
}

/// One peer, for one purpose of openraft's.
pub(crate) struct PeerNetwork {
    links: Option<PeerLinks>,
    appends: fn(&PeerLinks) -> &Link,
    append_ttl: Duration,
}

type RpcResult<T> = Result<T, RPCError<Types>>;

impl PeerNetwork {
    fn links(&self) -> RpcResult<&PeerLinks> {
        // openraft only knows the three members; a fourth would be its bug, not a reason to panic.
        let missing =
            || RPCError::Unreachable(Unreachable::new(&AnyError::error("not a server of this triad")));
        self.links.as_ref().ok_or_else(missing)
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
        let link = (self.appends)(self.links()?);
        match link.call(PeerRequest::Append(request), self.append_ttl).await.map_err(rpc_error)? {
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
            let link = (self.appends)(self.links()?).clone();
            let ttl = self.append_ttl;
            let responses = input.map(move |request| append(link.clone(), request, ttl)).buffered(PIPELINE);
            // Behind the first failure the peer's log is not where the next request assumes it: stop there.
            let until_failure = responses.scan(false, |ended, (whole, response)| {
                let item = (!*ended).then_some(response);
                *ended = !whole;
                std::future::ready(item)
            });
            Ok(Box::pin(until_failure) as BoxStream<'s, _>)
        })
    }

    async fn vote(&mut self, request: VoteRequest, option: RPCOption) -> RpcResult<VoteResponse> {
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
            sent = send_snapshot(&links.snapshot, vote, snapshot) => sent.map_err(streaming),
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

/// Sends one append. The flag says whether all of it was taken, so that what follows makes sense.
async fn append(
    link: Link,
    request: AppendRequest,
    ttl: Duration,
) -> (bool, RpcResult<StreamAppendResult<Types>>) {
    let previous: Option<LogId> = request.prev_log_id;
    let last = request.entries.last().map(RaftEntry::log_id).or(previous);
    match link.call(PeerRequest::Append(request), ttl).await {
        Ok(PeerReply::Append(AppendResponse::Conflict)) if previous.is_none() => {
            // Nothing can conflict with the beginning of the log.
            (false, Err(network_error("a conflict before the first entry")))
        }
        Ok(PeerReply::Append(response)) => {
            let result = response.into_stream_result(previous, last);
            (matches!(&result, Ok(reached) if *reached == last), Ok(result))
        }
        Ok(other) => (false, Err(unexpected(&other))),
        Err(error) => (false, Err(rpc_error(error))),
    }
}

async fn send_snapshot(link: &Link, vote: Vote, snapshot: Snapshot) -> RpcResult<SnapshotResponse<Types>> {
    let state = snapshot.snapshot;
    let checksum = crc32c::crc32c(&state);
    let mut offset = 0;
    loop {
        let end = state.len().min(offset + CHUNK_BYTES);
        let chunk = Chunk {
            vote,
            meta: snapshot.meta.clone(),
            total: state.len() as u64,
            offset: offset as u64,
            checksum,
            bytes: state.slice(offset..end),
        };
        match link.call(PeerRequest::Snapshot(chunk), CHUNK_TTL).await.map_err(rpc_error)? {
            PeerReply::Snapshot(Some(vote)) => return Ok(SnapshotResponse::new(vote)),
            PeerReply::Snapshot(None) if end < state.len() => offset = end,
            other => return Err(unexpected(&other)),
        }
    }
}

/// "Unreachable" makes openraft back off at once, which is right only when there is no connection at all.
fn rpc_error(error: LinkError) -> RPCError<Types> {
    match error {
        LinkError::Unreachable { .. } => RPCError::Unreachable(Unreachable::new(&error)),
        LinkError::Lost { .. } => RPCError::Network(NetworkError::new(&error)),
    }
}

fn network_error(why: &str) -> RPCError<Types> {
    RPCError::Network(NetworkError::from_string(why))
}

fn unexpected(reply: &PeerReply) -> RPCError<Types> {
    match reply {
        PeerReply::Refused(why) => network_error(why),
        other => network_error(&format!("an unexpected reply: {other:?}")),
    }
}

fn streaming(error: RPCError<Types>) -> StreamingError<Types> {
    match error {
        RPCError::Unreachable(error) => StreamingError::Unreachable(error),
        RPCError::Network(error) => StreamingError::Network(error),
        RPCError::Timeout(error) => StreamingError::Timeout(error),
        RPCError::RemoteError(error) => StreamingError::Network(NetworkError::new(&error)),
    }
}
