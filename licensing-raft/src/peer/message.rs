//! The words peers use. One request, one reply, matched by an id that belongs to the connection.

use bytes::Bytes;
use licensing_core::edition::Edition;
use licensing_core::id::{LogIndex, Role, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::types::{
    AppendRequest, AppendResponse, SnapshotMeta, TransferRequest, TransferResponse, Vote, VoteRequest,
    VoteResponse,
};
use crate::membership::standing::{Standing, TriadId};

/// The versions of the peer protocol that this program speaks, oldest and newest. Two servers take the newest that both
/// do; servers of neighbouring versions always have one in common.
pub const PEER_PROTOCOLS: (u16, u16) = (1, 1);

/// Which connection carries what: a large append must not delay a heartbeat, a snapshot neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Lane {
    /// Entries.
    Log,
    /// Heartbeats, votes, handovers, surveys.
    Control,
    /// Snapshots.
    Snapshot,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope<T> {
    pub(crate) id: u64,
    pub(crate) body: T,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum PeerRequest {
    Append(AppendRequest),
    Vote(VoteRequest),
    PreVote(VoteRequest),
    Transfer(TransferRequest),
    Snapshot(Chunk),
    /// What do you know? With what the asker knows.
    Survey(Report),
    /// The asker is about to found this triad: are you empty, and will you be a member?
    Found(TriadId),
}

impl PeerRequest {
    /// Whether only a server of the same triad may ask for it: everything but getting to know each other.
    pub(crate) fn is_among_members(&self) -> bool {
        !matches!(self, PeerRequest::Survey(_) | PeerRequest::Found(_))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum PeerReply {
    Append(AppendResponse),
    Vote(VoteResponse),
    Transfer(TransferResponse),
    /// The chunk is here; with the last one comes the vote after the installation.
    Snapshot(Option<Vote>),
    Survey(Report),
    Found,
    /// The request was understood and not carried out.
    Refused(String),
}

/// A piece of a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Chunk {
    /// The leader's vote.
    pub(crate) vote: Vote,
    pub(crate) meta: SnapshotMeta,
    /// Bytes of the whole state.
    pub(crate) total: u64,
    /// Where this piece belongs.
    pub(crate) offset: u64,
    /// CRC-32C of the whole state.
    pub(crate) checksum: u32,
    pub(crate) bytes: Bytes,
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) role: Role,
    /// Differs after every start.
    pub(crate) boot: [u8; 16],
    pub(crate) standing: Standing,
    /// Whether it leads as far as it knows.
    pub(crate) leads: bool,
    pub(crate) last_log_index: Option<LogIndex>,
    pub(crate) applied_index: Option<LogIndex>,
    /// Its wall clock.
    pub(crate) clock: Timestamp,
    /// It is stopping and must not be made master.
    pub(crate) leaving: bool,
    pub(crate) software_version: String,
    /// The newest edition of the rules it knows.
    pub(crate) known_edition: Edition,
    /// Boots of peers that may take entries from this leader although they hold less than they once acknowledged.
    pub(crate) readmitted: Vec<[u8; 16]>,
}

impl Report {
    /// Whether it may hold something that was decided.
    pub(crate) fn has_history(&self) -> bool {
        self.last_log_index.is_some()
    }
}
