//! Where the requests of peers are answered: first the checks, then openraft, then what the answer means for us.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt, stream};
use licensing_core::id::Role;
use licensing_core::mutant::{Mutant, planted};
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

use crate::engine::moments::NodeMoment;
use crate::engine::types::{AppendRequest, AppendResponse, Snapshot, TransferRequest, VoteRequest};
use crate::mastership::evidence;
use crate::mastership::leader_sign::LeadingLife;
use crate::mastership::lives::{FromPeer, Life};
use crate::membership::standing::TriadId;
use crate::membership::{admission, bootstrap};
use crate::peer::checks::{self, Distrust};
use crate::peer::frame::FrameError;
use crate::peer::hello::Proven;
use crate::peer::message::{Chunk, Envelope, PeerReply, PeerRequest, Report};
use crate::shared::Shared;

/// Requests of one connection under way at once: a peer pipelines 16 appends, a few more stay in the socket.
const CONCURRENCY: usize = 32;

/// Largest snapshot taken from a peer: what [`licensing_core::codec::SNAPSHOT_LIMIT`] would decode.
const MAX_SNAPSHOT_BYTES: u64 = licensing_core::codec::SNAPSHOT_LIMIT as u64;

/// Answers one peer connection until it ends.
pub(crate) async fn serve<S>(shared: Arc<Shared>, proven: Proven<S>, mut connection: FromPeer)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let Proven { peer, lane, triad_id, reader, mut writer, .. } = proven;
    let life = connection.life();
    let assembly = Arc::new(Mutex::new(Assembly::default()));
    let requests = stream::unfold(reader, |mut reader| async move {
        let request = reader.message::<Envelope<PeerRequest>>("request of a peer").await;
        Some((request, reader))
    });
    // A failed read ends the stream; the requests before it are still answered.
    let requests = requests.scan((), move |(), request| {
        // It had no entry yet when it said hello, and named no triad: a founder that is about to lead, for instance. It has to
        // say hello anew; if this were only refused, nothing would ever bring it to that.
        if let Ok(Envelope { body, .. }) = &request
            && triad_id.is_none()
            && body.is_among_members()
        {
            tracing::debug!(%peer, ?lane, "it named no triad when it said hello, so it has to say hello anew");
            return std::future::ready(None);
        }
        if let Err(error) = &request {
            // At once, not when the last answer is ready that nobody hears any more.
            connection.ended();
            if !matches!(error, FrameError::Closed) {
                tracing::warn!(%peer, ?lane, "closing a peer connection: {error}");
            }
        }
        std::future::ready(request.ok())
    });
    // New requests are first polled in the order of their arrival, which hands appends to openraft in order.
    let replies = requests.map(|Envelope { id, body }| {
        let (shared, assembly) = (shared.clone(), assembly.clone());
        async move { Envelope { id, body: answer(&shared, life, triad_id, &assembly, body).await } }
    });
    let mut replies = std::pin::pin!(replies.buffer_unordered(CONCURRENCY));
    while let Some(reply) = replies.next().await {
        let mut next = Some(reply);
        while let Some(reply) = next {
            if writer.feed(Bytes::from(licensing_core::codec::to_bytes(&reply))).await.is_err() {
                return;
            }
            next = replies.next().now_or_never().flatten();
        }
        if writer.flush().await.is_err() {
            return;
        }
    }
}

async fn answer(
    shared: &Arc<Shared>,
    life: Life,
    triad_id: Option<TriadId>,
    assembly: &Mutex<Assembly>,
    request: PeerRequest,
) -> PeerReply {
    let peer = life.role;
    let answered = match request {
        PeerRequest::Append(request) => append(shared, life, triad_id, request).await,
        PeerRequest::Vote(request) => vote(shared, peer, triad_id, request, false).await,
        PeerRequest::PreVote(request) => vote(shared, peer, triad_id, request, true).await,
        PeerRequest::Transfer(request) => transfer(shared, peer, request).await,
        PeerRequest::Snapshot(chunk) => snapshot(shared, life, triad_id, assembly, chunk).await,
        PeerRequest::Survey(report) => survey(shared, peer, report).await,
        PeerRequest::Found(triad_id) => bootstrap::agree(shared, triad_id).await.map(|()| PeerReply::Found),
    };
    answered.unwrap_or_else(PeerReply::Refused)
}

async fn survey(shared: &Shared, peer: Role, report: Report) -> Result<PeerReply, String> {
    checks::report(peer, &report).map_err(|why| distrust(peer, why))?;
    shared.survey.note(report, Duration::ZERO);
    // Asked of openraft itself: who asks may take a "no" for the end of a lease, and what is published is a moment old.
    let leads = shared.raft.with_raft_state(|state| state.server_state == ServerState::Leader).await;
    let leads = leads.map_err(|error| error.to_string())?;
    Ok(PeerReply::Survey(Report { leads, ..shared.report() }))
}

fn distrust(peer: Role, why: Distrust) -> String {
    tracing::warn!(%peer, "refused a message: {why}");
    why.to_string()
}

fn own_term(shared: &Shared) -> u64 {
    shared.raft.metrics().borrow_watched().current_term
}

async fn append(
    shared: &Shared,
    life: Life,
    triad_id: Option<TriadId>,
    request: AppendRequest,
) -> Result<PeerReply, String> {
    let (peer, term) = (life.role, request.vote.leader_id.term);
    let _held = admission::may_take_entries(shared, peer, triad_id).await?;
    checks::append(peer, &request, own_term(shared)).map_err(|why| distrust(peer, why))?;
    let response = shared.raft.append_entries(request).await.map_err(|error| error.to_string())?;
    if !matches!(response, AppendResponse::HigherVote(_)) {
        shared.sign.note_leader(LeadingLife { life, term });
    }
    Ok(PeerReply::Append(response))
}

async fn vote(
    shared: &Shared,
    peer: Role,
    triad_id: Option<TriadId>,
    mut request: VoteRequest,
    before: bool,
) -> Result<PeerReply, String> {
    drop(admission::is_of_the_same_triad(shared, peer, triad_id).await?);
    if !shared.standing.read().may_vote() && !planted(Mutant::EmptyDiskVotes) {
        return Err("this server has no memory to vote on yet".to_owned());
    }
    checks::candidate(peer, &request.vote, own_term(shared)).map_err(|why| distrust(peer, why))?;
    let dead = evidence::dead_leader(shared);
    // The lease that this server granted is void, and so is any that it granted before it was started: the leader could not have
    // been elected as long as that ran.
    request.leadership_transfer |= dead.is_some();
    // A lease this server had granted before it was restarted may still run: voting now could make two masters.
    if !shared.former_lease_left().is_zero() && !request.leadership_transfer {
        return Err("a lease that this server granted before its start may still run".to_owned());
    }
    let candidate_last = request.last_log_id;
    let response = if before {
        let response = shared.raft.pre_vote(request.clone()).await.map_err(|error| error.to_string())?;
        if dead.is_some() { evidence::would_vote(&request, response) } else { response }
    } else {
        shared.raft.vote(request).await.map_err(|error| error.to_string())?
    };
    if response.vote_granted && !before {
        shared.sign.note();
    }
    let behind = !response.vote_granted && response.last_log_id > candidate_last;
    if behind && shared.config.role == Role::Tertiary {
        // Nobody else can lead: the candidate lacks entries this server holds. Become caretaker, bring it up to date,
        // hand over (`pin`). openraft ignores this while a living leader's lease is valid.
        shared.counts.caretaker_campaigns.fetch_add(1, Ordering::Relaxed);
        if let Some(dead) = dead {
            evidence::elect_self(shared, dead).await;
        } else {
            let _ = shared.raft.trigger().elect(true).await;
        }
    }
    Ok(PeerReply::Vote(response))
}

async fn transfer(shared: &Shared, peer: Role, request: TransferRequest) -> Result<PeerReply, String> {
    checks::transfer(peer, &request, own_term(shared)).map_err(|why| distrust(peer, why))?;
    if *request.to_node_id() == shared.config.role.number() && shared.is_leaving() {
        return Err("this server is stopping".to_owned());
    }
    shared.tasks.notice(NodeMoment::Transfer);
    if *request.to_node_id() == shared.config.role.number() {
        shared.networks.told_to_lead(request.from_leader().leader_id.term);
    }
    let response = shared.raft.handle_transfer_leader(request).await.map_err(|error| error.to_string())?;
    shared.sign.note();
    Ok(PeerReply::Transfer(response))
}

/// A snapshot on its way in.
#[derive(Default)]
struct Assembly {
    total: u64,
    checksum: u32,
    state: BytesMut,
}

impl Assembly {
    /// Adds a chunk; gives the whole state with the last one.
    fn add(&mut self, chunk: &Chunk) -> Result<Option<Bytes>, String> {
        if chunk.offset == 0 {
            *self = Assembly { total: chunk.total, checksum: chunk.checksum, state: BytesMut::new() };
        }
        let fits = chunk.total == self.total
            && chunk.checksum == self.checksum
            && chunk.offset == self.state.len() as u64
            && chunk.offset + chunk.bytes.len() as u64 <= self.total
            && self.total <= MAX_SNAPSHOT_BYTES;
        if !fits {
            *self = Assembly::default();
            return Err("the snapshot chunk does not follow the one before it".to_owned());
        }
        self.state.extend_from_slice(&chunk.bytes);
        if (self.state.len() as u64) < self.total {
            return Ok(None);
        }
        let state = std::mem::take(self).state.freeze();
        if crc32c::crc32c(&state) != chunk.checksum {
            return Err("the checksum of the snapshot is wrong".to_owned());
        }
        Ok(Some(state))
    }
}

async fn snapshot(
    shared: &Shared,
    life: Life,
    triad_id: Option<TriadId>,
    assembly: &Mutex<Assembly>,
    chunk: Chunk,
) -> Result<PeerReply, String> {
    let peer = life.role;
    let _held = admission::may_take_entries(shared, peer, triad_id).await?;
    let applied = shared.raft.metrics().borrow_watched().last_applied;
    checks::snapshot(peer, &chunk.vote, &chunk.meta, own_term(shared), applied)
        .map_err(|why| distrust(peer, why))?;
    shared.sign.note_leader(LeadingLife { life, term: chunk.vote.leader_id.term });
    let Some(state) = assembly.lock().await.add(&chunk)? else {
        shared.tasks.notice(NodeMoment::Chunk);
        return Ok(PeerReply::Snapshot(None));
    };
    // What does not decode must not reach openraft: a failed installation would stop this node.
    let checked = state.clone();
    crate::engine::runtime::off_thread(move || licensing_core::state::State::from_bytes(&checked).map(drop))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    let index = chunk.meta.last_log_id.map(|id| id.index);
    tracing::info!(%peer, ?index, bytes = state.len(), "installing a snapshot");
    let snapshot = Snapshot { meta: chunk.meta, snapshot: state };
    let response =
        shared.raft.install_full_snapshot(chunk.vote, snapshot).await.map_err(|error| error.to_string())?;
    shared.counts.snapshots_installed.fetch_add(1, Ordering::Relaxed);
    Ok(PeerReply::Snapshot(Some(response.vote)))
}
