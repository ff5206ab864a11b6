//! A peer that lies: it says hello as one of the three would, proves the key it was given, and then sends what it
//! likes. For tests that show what a node believes.

use bytes::Bytes;
use licensing_core::codec;
use licensing_core::id::{LogIndex, Role, Timestamp};
use openraft::EntryPayload;
use openraft::async_runtime::WatchReceiver;
use openraft::entry::RaftEntry;
use openraft::vote::RaftLeaderId;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::NodeConfig;
use crate::engine::types::{
    AppendRequest, Entry, LogId, Payload, SnapshotMeta, StoredMembership, TransferRequest, Types, Vote,
    VoteRequest,
};
use crate::membership::standing::{Standing, TriadId};
use crate::peer::hello::{Introduction, Proven};
use crate::peer::message::{Chunk, Envelope, Lane, PeerReply, PeerRequest, Report};
use crate::shared::Shared;

type LeaderId = openraft::alias::LeaderIdOf<Types>;

/// A log id as it goes over the wire: a term and an index.
pub type Id = (u64, u64);

/// In whose name, and in which term, a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The term.
    pub term: u64,
    /// The server that is said to lead or to campaign; 1, 2 and 3 are the triad.
    pub node: u64,
    /// Whether it says that a quorum has elected it.
    pub elected: bool,
}

/// A message of a peer, true or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forged {
    /// A request for a vote.
    Vote {
        /// For whom.
        claim: Claim,
        /// Its last entry.
        last: Option<Id>,
        /// Ask only what the answer would be.
        only_ask: bool,
        /// Say that the leader itself asked for this election.
        leader_agrees: bool,
    },
    /// Entries.
    Append {
        /// Who says that it leads.
        claim: Claim,
        /// The entry in front of them.
        behind: Option<Id>,
        /// The entries: proposals, or blank ones.
        entries: Vec<(Id, Option<Vec<u8>>)>,
        /// What is said to be committed.
        commit: Option<Id>,
    },
    /// An entry that makes these servers the members.
    Members {
        /// Who says that it leads.
        claim: Claim,
        /// The entry in front of it.
        behind: Id,
        /// The members.
        members: Vec<u64>,
    },
    /// A whole state.
    Snapshot {
        /// Who says that it leads.
        claim: Claim,
        /// The last entry in it.
        last: Option<Id>,
        /// The members.
        members: Vec<u64>,
        /// The bytes of the state.
        state: Vec<u8>,
    },
    /// A handover.
    Transfer {
        /// Who says that it leads.
        claim: Claim,
        /// To whom.
        to: u64,
    },
    /// What a server says of itself.
    Survey {
        /// Who it says it is.
        role: Role,
        /// Its clock, in milliseconds since 1970.
        clock: u64,
        /// The version of its program.
        version: String,
        /// How many servers it says it has readmitted.
        readmitted: usize,
    },
    /// An invitation to found a triad anew.
    Found([u8; 16]),
}

impl Forged {
    /// The content of the frame that carries it.
    pub fn to_bytes(&self, id: u64) -> Vec<u8> {
        codec::to_bytes(&Envelope { id, body: self.request() })
    }

    fn request(&self) -> PeerRequest {
        match self.clone() {
            Forged::Vote { claim, last, only_ask, leader_agrees } => {
                let mut request = VoteRequest::new(vote(claim), last.map(log_id));
                request.leadership_transfer = leader_agrees;
                if only_ask { PeerRequest::PreVote(request) } else { PeerRequest::Vote(request) }
            }
            Forged::Append { claim, behind, entries, commit } => {
                let payload = |proposal: Option<Vec<u8>>| match proposal {
                    Some(bytes) => EntryPayload::Normal(Payload(Bytes::from(bytes))),
                    None => EntryPayload::Blank,
                };
                let entry = |(id, proposal)| Entry::new(log_id(id), payload(proposal));
                append(claim, behind, entries.into_iter().map(entry).collect(), commit)
            }
            Forged::Members { claim, behind, members } => {
                let at = log_id((claim.term, behind.1.saturating_add(1)));
                let members = membership(at, &members).membership().clone();
                append(claim, Some(behind), vec![Entry::new(at, EntryPayload::Membership(members))], None)
            }
            Forged::Snapshot { claim, last, members, state } => {
                let last = last.map(log_id);
                let at = last.unwrap_or_else(|| log_id((0, 0)));
                let meta = SnapshotMeta { last_log_id: last, last_membership: membership(at, &members) };
                PeerRequest::Snapshot(Chunk {
                    vote: vote(claim),
                    meta,
                    total: state.len() as u64,
                    offset: 0,
                    checksum: crc32c::crc32c(&state),
                    bytes: Bytes::from(state),
                })
            }
            Forged::Transfer { claim, to } => {
                PeerRequest::Transfer(TransferRequest::new(vote(claim), to, None))
            }
            Forged::Survey { role, clock, version, readmitted } => PeerRequest::Survey(Report {
                role,
                boot: [7; 16],
                standing: Standing::Member { triad_id: TriadId([5; 16]) },
                leads: false,
                last_log_index: Some(LogIndex(9)),
                applied_index: Some(LogIndex(9)),
                clock: Timestamp(clock),
                leaving: false,
                software_version: version,
                known_edition: licensing_core::edition::Edition::FIRST, // the corpus stays as it is when rules are added
                readmitted: vec![[9; 16]; readmitted],
            }),
            Forged::Found(id) => PeerRequest::Found(TriadId(id)),
        }
    }
}

fn vote(claim: Claim) -> Vote {
    Vote { leader_id: LeaderId::new(claim.term, claim.node), committed: claim.elected }
}

fn log_id((term, index): Id) -> LogId {
    // Who led in that term is no part of a log id.
    LogId::new(LeaderId::new(term, 0).to_committed(), index)
}

fn append(claim: Claim, behind: Option<Id>, entries: Vec<Entry>, commit: Option<Id>) -> PeerRequest {
    PeerRequest::Append(AppendRequest {
        vote: vote(claim),
        prev_log_id: behind.map(log_id),
        entries,
        leader_commit: commit.map(log_id),
    })
}

fn membership(at: LogId, ids: &[u64]) -> StoredMembership {
    if ids.is_empty() {
        return StoredMembership::default();
    }
    let ids: std::collections::BTreeSet<u64> = ids.iter().copied().collect();
    StoredMembership::new(Some(at), openraft::Membership::new_with_defaults(vec![ids.clone()], ids))
}

/// What a node did with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Refused, with this reason.
    Refused(String),
    /// Passed on to openraft, whose answer this is.
    Taken(String),
    /// The connection ended.
    Closed(String),
}

/// A connection on which a lying peer has proved itself.
pub struct Impostor<S> {
    proven: Proven<S>,
    sent: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Impostor<S> {
    /// Says hello as the server of this configuration would, to the server that is expected at the far end, and claims to
    /// be bound to a triad, if any. `nonce` should be different each time.
    ///
    /// Errors: why the hello did not come to a good end.
    pub async fn meet(
        stream: S,
        config: &NodeConfig,
        expected: Role,
        triad_id: Option<[u8; 16]>,
        nonce: [u8; 32],
    ) -> Result<Impostor<S>, String> {
        let introduction = introduction(config);
        let proven = introduction.dial(stream, expected, triad_id.map(TriadId), Lane::Log, nonce, None).await;
        Ok(Impostor { proven: proven.map_err(|error| error.to_string())?, sent: 0 })
    }

    /// The triad that the far end says it is bound to.
    pub fn met(&self) -> Option<[u8; 16]> {
        self.proven.triad_id.map(|id| id.0)
    }

    /// Sends a message and waits for what comes of it.
    pub async fn say(&mut self, forged: &Forged) -> Reaction {
        let bytes = forged.to_bytes(self.sent);
        self.say_bytes(bytes).await
    }

    /// Sends the content of a frame, whatever it is, and waits for what comes of it.
    pub async fn say_bytes(&mut self, content: Vec<u8>) -> Reaction {
        self.sent += 1;
        let closed = |error: &dyn std::fmt::Display| Reaction::Closed(error.to_string());
        if let Err(error) = self.proven.writer.feed(Bytes::from(content)).await {
            return closed(&error);
        }
        if let Err(error) = self.proven.writer.flush().await {
            return closed(&error);
        }
        self.reaction().await
    }

    /// Announces a frame of this length, sends none of it, and waits for what comes of it.
    pub async fn announce(&mut self, length: u32) -> Reaction {
        match self.proven.writer.announce(length).await {
            Ok(()) => self.reaction().await,
            Err(error) => Reaction::Closed(error.to_string()),
        }
    }

    async fn reaction(&mut self) -> Reaction {
        let closed = |error: &dyn std::fmt::Display| Reaction::Closed(error.to_string());
        match self.proven.reader.message::<Envelope<PeerReply>>("reply of a peer").await {
            Ok(Envelope { body: PeerReply::Refused(why), .. }) => Reaction::Refused(why),
            Ok(Envelope { body, .. }) => Reaction::Taken(format!("{body:?}")),
            Err(error) => closed(&error),
        }
    }
}

fn introduction(config: &NodeConfig) -> Introduction {
    Introduction {
        role: config.role,
        boot: [8; 16],
        triad: config.triad.clone(),
        rules: crate::engine::settings::rules(config),
        key: config.peer_key.clone(),
    }
}

/// The frames of a hello, length first, as the server of this configuration would send it; `change` may forge it.
pub fn hello_frame(config: &NodeConfig, change: impl FnOnce(&mut HelloWords)) -> Vec<u8> {
    let mut hello = introduction(config).hello(None, Lane::Log, [1; 32]);
    let mut words = HelloWords { protocols: (hello.from, hello.to), triad: hello.triad, rules: hello.rules };
    change(&mut words);
    ((hello.from, hello.to), hello.triad, hello.rules) = (words.protocols, words.triad, words.rules);
    let content = codec::to_bytes(&hello);
    [&(content.len() as u32).to_be_bytes()[..], &content].concat()
}

/// What can be forged in a hello.
#[derive(Debug, Clone)]
pub struct HelloWords {
    /// Version of the peer protocol.
    pub protocols: (u16, u16),
    /// What the triad is called.
    pub triad: String,
    /// What the three must do alike.
    pub rules: String,
}

/// What openraft holds on one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftView {
    /// The term of its vote.
    pub term: u64,
    /// Whom it takes for the leader.
    pub leader: Option<u64>,
    /// Index of its last entry.
    pub last_index: Option<u64>,
    /// The last entry it has applied.
    pub applied: Option<Id>,
    /// The last entry in its newest snapshot.
    pub snapshot: Option<Id>,
    /// The members that vote.
    pub voters: Vec<u64>,
    /// Whether openraft still runs.
    pub running: bool,
}

impl RaftView {
    pub(crate) fn of(shared: &Shared) -> RaftView {
        let metrics = shared.raft.metrics();
        let metrics = metrics.borrow_watched();
        let id = |id: LogId| (**id.committed_leader_id(), id.index);
        RaftView {
            term: metrics.current_term,
            leader: metrics.current_leader,
            last_index: metrics.last_log_index,
            applied: metrics.last_applied.map(id),
            snapshot: metrics.snapshot.map(id),
            voters: metrics.membership_config.membership().voter_ids().collect(),
            running: metrics.running_state.is_ok(),
        }
    }
}
