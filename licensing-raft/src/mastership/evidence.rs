//! A dead process is known at once: evidence that the leader is no more, and a campaign that need not wait for its lease.
//!
//! A leader serves without asking anybody as long as its lease lasts, so nobody may be elected meanwhile, unless the leader
//! cannot serve because its process is dead. When a process dies, its system closes the connections that it dialed in good order,
//! which a living process never does ([`crate::ending`]), and refuses new ones. Whoever has seen both, with no connection left of
//! the life that holds the lease, votes at once. Whatever answers there, late or wrong, is no evidence, and neither is silence: then
//! the lease counts.
//!
//! The property kept: each server that elects a leader, the candidate too, has seen by itself that the lease it granted has
//! ended or that its holder is dead. It takes nobody's word for that.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use licensing_core::id::Role;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use openraft::vote::RaftLeaderId;

use crate::engine::types::{TransferRequest, Types, Vote, VoteRequest, VoteResponse};
use crate::mastership::leader_sign::LeadingLife;
use crate::peer::message::{PeerReply, PeerRequest};
use crate::shared::Shared;
use crate::time::{sleep, timeout};

/// Pauses between two tries double from the first to the longest. The system of a process that dies closes what it had open one by
/// one, and another voter sees it a moment earlier or later; that takes a millisecond or a few.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// Two servers that cannot agree then ask each other this often until the lease has ended: some 20 times at the default one.
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

/// How long an address has to refuse a connection: the system does it at once. What takes longer is no refusal by it.
const REFUSAL: Duration = Duration::from_millis(100);

/// How long another voter has for its answer, which takes it no disk and no third server.
const ANSWER: Duration = Duration::from_millis(100);

/// If the primary and the secondary are both there when the leader dies (it was the tertiary, on its way to hand over), the
/// secondary leaves this to the primary: a vote takes a sync of a disk and a round trip.
const AFTER_THE_PRIMARY: Duration = Duration::from_millis(10);

/// Looks for evidence that this peer is dead, as long as it leads, and campaigns on it; until the node ends.
pub(crate) async fn gather(shared: Arc<Shared>, peer: Role) {
    let mut news = shared.lives.news();
    while news.changed().await.is_ok() {
        let mut pause = FIRST_PAUSE;
        let mut is_first = true;
        while let Some((leader, met)) = seems_dead(&shared, peer) {
            if !shared.lives.is_over(leader.life) && refuses(&shared, peer).await {
                shared.lives.refused(leader.life, met);
                tracing::info!(
                    "the {peer}, leader in term {}, is dead: its connections are closed and its address refuses others",
                    leader.term
                );
            }
            if std::mem::take(&mut is_first) && leaves_it_to_the_primary(&shared, peer) {
                sleep(AFTER_THE_PRIMARY).await;
            }
            if dead_leader(&shared) == Some(leader) && campaign(&shared, leader).await {
                break;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The life of this peer that leads, if all its connections have ended as if it were dead, and its lease has not ended.
fn seems_dead(shared: &Shared, peer: Role) -> Option<(LeadingLife, u64)> {
    let leader = leader(shared).filter(|leader| leader.life.role == peer)?;
    let met = shared.lives.seems_over(leader.life)?;
    (shared.sign.elapsed() < shared.config.timings.lease()).then_some((leader, met))
}

/// The leader that this server knows, if it is another server and has a lease from this life of this server.
fn leader(shared: &Shared) -> Option<LeadingLife> {
    let leader = shared.sign.led_by()?;
    let metrics = shared.raft.metrics();
    let metrics = metrics.borrow_watched();
    let is_known = metrics.state != ServerState::Leader
        && metrics.running_state.is_ok()
        && metrics.current_term == leader.term
        && metrics.current_leader == Some(leader.life.role.number());
    is_known.then_some(leader)
}

/// The leader that this server knows, if there is evidence that it is dead: its lease binds this server no more.
pub(crate) fn dead_leader(shared: &Shared) -> Option<LeadingLife> {
    leader(shared).filter(|leader| shared.lives.is_over(leader.life))
}

/// Whether all there is at the address of this peer refuses a connection. Nothing else will do: silence may be a cut wire, and
/// "unreachable" a router's opinion.
async fn refuses(shared: &Shared, peer: Role) -> bool {
    let Some(address) = shared.config.servers.get(peer.place()) else { return false };
    match timeout(REFUSAL, shared.environment.dialer.dial(address)).await {
        Ok(Err(error)) => error.kind() == ErrorKind::ConnectionRefused,
        Ok(Ok(_)) | Err(_) => false,
    }
}

fn leaves_it_to_the_primary(shared: &Shared, dead: Role) -> bool {
    shared.config.role == Role::Secondary && dead != Role::Primary
}

/// Asks the other voter what it would say, and campaigns if that is yes. `false`: not now.
///
/// The tertiary is not meant to lead. It campaigns when a candidate that lacks entries asks it for a vote.
async fn campaign(shared: &Shared, dead: LeadingLife) -> bool {
    let role = shared.config.role;
    if role == Role::Tertiary || shared.is_leaving() || !shared.standing.read().may_vote() {
        return false;
    }
    let Some(voter) = shared.config.others().find(|other| *other != dead.life.role) else { return false };
    let Some(links) = shared.networks.links(voter) else { return false };
    let Some(own) = standing_of_log(shared, dead.term).await else { return false };
    let asked = PeerRequest::PreVote(VoteRequest::new(candidacy(dead.term + 1, role), own.last_log_id));
    match links.control.call(asked, ANSWER).await {
        Ok(PeerReply::Vote(VoteResponse { vote_granted: true, .. })) => elect_self(shared, dead).await,
        Ok(_) | Err(_) => false,
    }
}

/// Makes this server a candidate although it has granted a lease to the dead leader: as if that one had handed over. Whether it
/// was elected shows later; `false`: it is no candidate.
pub(crate) async fn elect_self(shared: &Shared, dead: LeadingLife) -> bool {
    let Some(own) = standing_of_log(shared, dead.term).await else { return false };
    if dead_leader(shared) != Some(dead) || shared.is_leaving() {
        return false;
    }
    shared.counts.elections_by_evidence.fetch_add(1, Ordering::Relaxed);
    tracing::info!("campaigning at once: the {} is dead", dead.life.role);
    let led = Vote { committed: true, ..candidacy(dead.term, dead.life.role) };
    // It never leaves this process. The votes it makes openraft ask for say that the leader agrees; `PeerNetwork` takes that out.
    let request = TransferRequest::new(led, shared.config.role.number(), own.last_log_id);
    matches!(shared.raft.handle_transfer_leader(request).await, Ok(Ok(())))
}

/// What openraft says to a request for a vote in the next term that brings no log: where this server's own vote and log are.
/// [`None`] if it is in another term by now.
async fn standing_of_log(shared: &Shared, term: u64) -> Option<VoteResponse> {
    let nobody = VoteRequest::new(candidacy(term + 1, shared.config.role), None);
    let own = shared.raft.pre_vote(nobody).await.ok()?;
    (own.vote.leader_id.term == term).then_some(own)
}

fn candidacy(term: u64, role: Role) -> Vote {
    let leader = <openraft::alias::LeaderIdOf<Types> as RaftLeaderId>::new(term, role.number());
    Vote { leader_id: leader, committed: false }
}

/// What this server says to a candidate that only asks, when it knows that its leader is dead: openraft would refuse because
/// of the lease. The other reasons to refuse stay.
pub(crate) fn would_vote(request: &VoteRequest, own: VoteResponse) -> VoteResponse {
    let vote_granted = request.last_log_id >= own.last_log_id && request.vote > own.vote;
    VoteResponse { vote_granted, ..own }
}
