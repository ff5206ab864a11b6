//! The peers as openraft sees them: each request goes down the lane it belongs to, appends are pipelined.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, FuturesOrdered};
use futures_util::{Stream, StreamExt};
use licensing_core::id::Role;
use licensing_core::mutant::{Mutant, planted};
use openraft::base::{BoxFuture, BoxStream};
use openraft::entry::RaftEntry;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{SnapshotResponse, StreamAppendResult};
use openraft::{AnyError, EmptyNode, OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use tokio::time::{Instant, Sleep};

use crate::peer::link::{Link, LinkError};
use crate::peer::message::{CHUNK_BYTES, Chunk, PeerReply, PeerRequest};
use crate::types::{
    AppendRequest, AppendResponse, LogId, Snapshot, TransferRequest, TransferResponse, Types, Vote,
    VoteRequest, VoteResponse,
};

/// Appends under way to one peer: enough to hide a round trip behind a commit, few enough that a lost one is noticed.
const PIPELINE: usize = 16;

/// How long news of a commit waits for entries to travel with. openraft sends them in an append of their own otherwise,
/// which doubles the messages between the servers while requests come one by one. Nobody waits for the news: a standby
/// acts on a commit only when it becomes master, and then finds out by itself.
const NEWS_PATIENCE: Duration = Duration::from_millis(5);

/// A chunk travels and is kept; the last one is installed, which decodes up to a million checkouts.
const CHUNK_TTL: Duration = Duration::from_secs(10);

/// The lanes to one peer.
#[derive(Clone)]
pub(crate) struct PeerLinks {
    pub(crate) log: Link,
    pub(crate) control: Link,
    pub(crate) snapshot: Link,
    /// When the peer last took entries or a snapshot.
    pub(crate) progressed: Progressed,
}

/// When a peer last took entries or a snapshot. Clones share it.
///
/// Heartbeats, entries and snapshots travel on connections of their own. A conflict that one of them met while the peer had
/// lost its log may arrive when the peer has been brought up to date by another, and openraft takes it for another loss.
#[derive(Clone, Default)]
pub(crate) struct Progressed(Arc<Mutex<Latest>>);

#[derive(Default)]
struct Latest {
    entries: Option<Instant>,
    snapshot: Option<Instant>,
}

impl Progressed {
    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another connection has brought the peer forward since a request was sent.
    fn overtook(&self, heartbeat: bool, sent: Instant) -> bool {
        let latest = self.lock();
        let since = |moment: Option<Instant>| moment.is_some_and(|moment| moment >= sent);
        since(latest.snapshot) || heartbeat && since(latest.entries)
    }
}

/// Makes networks to the two peers.
#[derive(Clone)]
pub(crate) struct PeerNetworks {
    /// By [`Role::place`]; the own place is empty.
    pub(crate) links: [Option<PeerLinks>; 3],
    /// How long an append may take before its connection is given up: an fsync stalls for 100 ms now and then.
    pub(crate) append_ttl: Duration,
    /// How old an unanswered append may be when the next is taken; see [`pipelined`].
    pub(crate) append_patience: Duration,
}

impl PeerNetworks {
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
}

/// What appends travel on.
#[derive(Clone)]
struct AppendLane {
    link: Link,
    heartbeats: bool,
    progressed: Progressed,
}

type RpcResult<T> = Result<T, RPCError<Types>>;

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
        })
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
        match lane.link.call(PeerRequest::Append(request), self.append_ttl).await.map_err(rpc_error)? {
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

/// Sends appends one behind the other and gives their results in the same order, up to the first failure: behind it the
/// peer's log is not where the next request assumes it.
///
/// While the oldest unanswered append is older than `patience`, none is taken from `input`. openraft notes the time at
/// which it hands out a request and finds the request an answer belongs to by log id, so that an answer confirms every
/// empty append behind it, however much later that was made: a process that stood still for seconds would take answers
/// from before its sleep for a quorum that hears it now. With this rule a confirmation is never newer than the append it
/// answers by more than `patience`, which the lease's margin covers.
///
/// An append without entries only brings news of a commit. It waits for [`NEWS_PATIENCE`]; if another append comes
/// meanwhile, that one brings the news and its answer stands for both. Heartbeats do not wait.
fn pipelined<S>(
    lane: AppendLane,
    mut input: S,
    ttl: Duration,
    patience: Duration,
) -> impl Stream<Item = RpcResult<StreamAppendResult<Types>>>
where
    S: Stream<Item = AppendRequest> + Unpin,
{
    let mut under_way = FuturesOrdered::new();
    let mut taken_at: VecDeque<Instant> = VecDeque::new();
    let (mut input_ended, mut failed) = (false, false);
    let mut news: Option<News> = None;
    stream::poll_fn(move |context| {
        let is_late = |taken_at: &VecDeque<Instant>| {
            let since = taken_at.front().map_or(Duration::ZERO, Instant::elapsed);
            since > patience && !planted(Mutant::LateConfirmation)
        };
        loop {
            if failed {
                return Poll::Ready(None);
            }
            let answered: Poll<Option<(bool, RpcResult<_>)>> = under_way.poll_next_unpin(context);
            if let Poll::Ready(Some((whole, result))) = answered {
                taken_at.pop_front();
                failed = !whole;
                return Poll::Ready(Some(result));
            }
            let due = news.take_if(|news| input_ended || news.is_due(context));
            if let Some(request) = due.and_then(|news| news.request) {
                taken_at.push_back(Instant::now());
                under_way.push_back(append(lane.clone(), request, ttl));
                continue;
            }
            if input_ended || under_way.len() == PIPELINE || is_late(&taken_at) {
                return if under_way.is_empty() { Poll::Ready(None) } else { Poll::Pending };
            }
            match ready!(input.poll_next_unpin(context)) {
                None => input_ended = true,
                // The process stood still right here: begin anew rather than confirm what nobody has answered.
                Some(_) if is_late(&taken_at) => {
                    failed = true;
                    return Poll::Ready(Some(Err(network_error("this server stood still"))));
                }
                Some(request) if request.entries.is_empty() && !lane.heartbeats => {
                    news.get_or_insert_with(News::new).request = Some(request);
                }
                Some(request) => {
                    news = None;
                    taken_at.push_back(Instant::now());
                    under_way.push_back(append(lane.clone(), request, ttl));
                }
            }
        }
    })
}

/// The latest append without entries, which may still find company.
struct News {
    request: Option<AppendRequest>,
    due: Pin<Box<Sleep>>,
}

impl News {
    fn new() -> News {
        News { request: None, due: Box::pin(tokio::time::sleep(NEWS_PATIENCE)) }
    }

    fn is_due(&mut self, context: &mut Context<'_>) -> bool {
        self.due.as_mut().poll(context).is_ready()
    }
}

/// Sends one append. The flag says whether all of it was taken, so that what follows makes sense.
async fn append(
    lane: AppendLane,
    request: AppendRequest,
    ttl: Duration,
) -> (bool, RpcResult<StreamAppendResult<Types>>) {
    let previous: Option<LogId> = request.prev_log_id;
    let last = request.entries.last().map(RaftEntry::log_id).or(previous);
    let sent = Instant::now();
    match lane.link.call(PeerRequest::Append(request), ttl).await {
        Ok(PeerReply::Append(AppendResponse::Conflict))
            if lane.progressed.overtook(lane.heartbeats, sent) =>
        {
            (false, Err(network_error("a conflict that is over")))
        }
        Ok(PeerReply::Append(AppendResponse::Conflict)) if previous.is_none() => {
            // Nothing can conflict with the beginning of the log.
            (false, Err(network_error("a conflict before the first entry")))
        }
        Ok(PeerReply::Append(response)) => {
            let result = response.into_stream_result(previous, last);
            if !lane.heartbeats && result.is_ok() {
                lane.progressed.lock().entries = Some(Instant::now());
            }
            (matches!(&result, Ok(reached) if *reached == last), Ok(result))
        }
        Ok(other) => (false, Err(unexpected(&other))),
        Err(error) => (false, Err(rpc_error(error))),
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
        let end = state.len().min(offset + CHUNK_BYTES);
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
                links.progressed.lock().snapshot = Some(Instant::now());
                return Ok(SnapshotResponse::new(vote));
            }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use openraft::vote::RaftLeaderId;
    use tokio::sync::mpsc;

    use super::*;

    const TTL: Duration = Duration::from_millis(150);
    const PATIENCE: Duration = Duration::from_millis(15);

    fn empty_append() -> AppendRequest {
        let leader = <openraft::alias::LeaderIdOf<Types> as RaftLeaderId>::new(3, 1);
        let log_id = LogId::new(leader.to_committed(), 7);
        AppendRequest {
            vote: Vote { leader_id: leader, committed: true },
            prev_log_id: Some(log_id),
            leader_commit: Some(log_id),
            entries: vec![],
        }
    }

    /// openraft stamps an append when it is taken, and takes the answer to an old one for the answer to it.
    #[tokio::test(start_paused = true)]
    async fn no_append_is_taken_while_an_old_one_waits_for_its_answer() {
        let (link, mut asked) = Link::scripted(Role::Secondary);
        let (feeding, input) = mpsc::unbounded_channel();
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        let input = stream::unfold(input, move |mut input: mpsc::UnboundedReceiver<AppendRequest>| {
            let count = count.clone();
            async move {
                let request = input.recv().await?;
                count.fetch_add(1, Ordering::SeqCst);
                Some((request, input))
            }
        });
        let lane = AppendLane { link, heartbeats: true, progressed: Progressed::default() };
        let results = pipelined(lane, Box::pin(input), TTL, PATIENCE);
        let mut results = std::pin::pin!(results);
        feeding.send(empty_append()).unwrap();
        feeding.send(empty_append()).unwrap();
        // Both are young: both go out at once.
        assert!(futures_util::poll!(results.next()).is_pending());
        assert_eq!(taken.load(Ordering::SeqCst), 2);
        let first = asked.recv().await.unwrap();
        let second = asked.recv().await.unwrap();

        tokio::time::advance(PATIENCE * 2).await;
        feeding.send(empty_append()).unwrap();
        assert!(futures_util::poll!(results.next()).is_pending());
        assert_eq!(
            taken.load(Ordering::SeqCst),
            2,
            "a third one was taken, and the answer to the first would confirm it"
        );

        for reply in [first, second] {
            reply.send(Ok(PeerReply::Append(AppendResponse::Success))).unwrap();
            assert!(results.next().await.unwrap().is_ok());
        }
        assert!(futures_util::poll!(results.next()).is_pending());
        assert_eq!(taken.load(Ordering::SeqCst), 3);
    }
}
