//! Bytes from strangers and from disks, read exactly as a node reads them. What can be read comes back as what it
//! says and as the bytes it is written with again, so that a test needs none of the types.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use licensing_core::codec;
use licensing_core::id::Role;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::{NodeConfig, PeerKey};
use crate::engine::types::{AppendRequest, Entry, LogId, SnapshotMeta, Vote};
use crate::peer::checks;
use crate::peer::frame::{self, FrameError, FrameReader, FrameWriter};
use crate::peer::hello::{Hello, Introduction, Welcome};
use crate::peer::message::{Envelope, PeerReply, PeerRequest};
use crate::store::mark::Slot;
use crate::store::{record, shelf};

/// Largest frame a proven peer may send.
pub const MAX_PEER_FRAME: usize = frame::MAX_PEER_FRAME;

/// A kind of message between peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerWord {
    /// The first frame of a dialer.
    Hello,
    /// The answer to it.
    Welcome,
    /// The dialer's proof.
    Proof,
    /// A request.
    Request,
    /// A reply.
    Reply,
}

impl PeerWord {
    /// All of them.
    pub const ALL: [PeerWord; 5] =
        [PeerWord::Hello, PeerWord::Welcome, PeerWord::Proof, PeerWord::Request, PeerWord::Reply];

    /// Reads the content of a frame and writes it again.
    ///
    /// Errors: why it cannot be read.
    pub fn reread(self, content: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            PeerWord::Hello => reread::<Hello>(content),
            PeerWord::Welcome => reread::<Welcome>(content),
            PeerWord::Proof => reread::<[u8; 32]>(content),
            PeerWord::Request => reread::<Envelope<PeerRequest>>(content),
            PeerWord::Reply => reread::<Envelope<PeerReply>>(content),
        }
    }
}

/// What a server says of a connection when it introduces itself on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduced {
    /// The name of the lane.
    pub lane: String,
    /// What makes this connection different from all others.
    pub nonce: [u8; 32],
}

/// The introduction in the first frame of a dialer, or in the welcome of an acceptor; `None` when it is none.
pub fn introduced(content: &[u8]) -> Option<Introduced> {
    let hello = match codec::from_bytes::<Hello>(content, "hello of a peer") {
        Ok(hello) => hello,
        Err(_) => match codec::from_bytes::<Welcome>(content, "welcome of a peer").ok()? {
            Welcome::Accepted { hello, .. } => hello,
            Welcome::Refused { .. } => return None,
        },
    };
    Some(Introduced { lane: format!("{:?}", hello.lane), nonce: hello.nonce() })
}

fn reread<T: Serialize + DeserializeOwned>(content: &[u8]) -> Result<Vec<u8>, String> {
    let value: T = codec::from_bytes(content, "message of a peer").map_err(|error| error.to_string())?;
    Ok(codec::to_bytes(&value))
}

/// What a request of a proven peer says, for those that were believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Believed {
    /// The server it speaks for.
    pub node: u64,
    /// Its term.
    pub term: u64,
    /// Whether it speaks as a leader.
    pub elected: bool,
    /// Whether only a leader may say this; `None` when either may.
    pub for_leaders: Option<bool>,
    /// Term and index of the entry in front of its entries, of the entries, and so on.
    pub entries: Vec<(u64, u64)>,
    /// Whether the first of them stands in front of the entries.
    pub has_previous: bool,
    /// The term of what it says is committed.
    pub commit_term: Option<u64>,
    /// Everything it says of who is a member.
    pub members: Vec<Vec<u64>>,
}

/// Reads a request of a proven peer and judges it as a node does whose term is `own_term`.
///
/// Errors: why it is not believed. `None`: it says nothing of raft.
pub fn believe(content: &[u8], peer: Role, own_term: u64) -> Result<Option<Believed>, String> {
    let envelope: Envelope<PeerRequest> =
        codec::from_bytes(content, "request of a peer").map_err(|error| error.to_string())?;
    let (judged, believed) = match &envelope.body {
        PeerRequest::Append(request) => (checks::append(peer, request, own_term), of_append(request)),
        PeerRequest::Vote(request) | PeerRequest::PreVote(request) => {
            (checks::candidate(peer, &request.vote, own_term), of_vote(&request.vote, Some(false)))
        }
        PeerRequest::Transfer(request) => {
            (checks::transfer(peer, request, own_term), of_vote(request.from_leader(), None))
        }
        PeerRequest::Snapshot(chunk) => {
            let mut believed = of_vote(&chunk.vote, Some(true));
            believed.has_previous = true;
            believed.entries.extend(chunk.meta.last_log_id.as_ref().map(plain));
            believed.members.push(chunk.meta.last_membership.membership().voter_ids().collect());
            (checks::snapshot(peer, &chunk.vote, &chunk.meta, own_term, None), believed)
        }
        PeerRequest::Survey(report) => {
            return checks::report(peer, report).map(|()| None).map_err(|why| why.to_string());
        }
        PeerRequest::Found(_) => return Ok(None),
    };
    judged.map(|()| Some(believed)).map_err(|why| why.to_string())
}

fn plain(id: &LogId) -> (u64, u64) {
    (**id.committed_leader_id(), id.index)
}

fn of_vote(vote: &Vote, for_leaders: Option<bool>) -> Believed {
    let (node, term) = (vote.leader_id.voted_for, vote.leader_id.term);
    Believed { node, term, elected: vote.committed, for_leaders, ..Believed::default() }
}

fn of_append(request: &AppendRequest) -> Believed {
    let mut believed = of_vote(&request.vote, Some(true));
    believed.has_previous = request.prev_log_id.is_some();
    believed.entries.extend(request.prev_log_id.as_ref().map(plain));
    believed.entries.extend(request.entries.iter().map(|entry| plain(&entry.log_id())));
    believed.commit_term = request.leader_commit.as_ref().map(|id| plain(id).0);
    for entry in &request.entries {
        if let EntryPayload::Membership(members) = &entry.payload {
            believed.members.push(members.voter_ids().collect());
        }
    }
    believed
}

/// Contents of the frames in a stream, up to the first that is refused, and why that one is. With a key they are
/// authenticated, without they may be as long as a hello's.
pub fn read_frames(stream: &[u8], key: Option<[u8; 32]>, hello: bool) -> (Vec<Bytes>, String) {
    let mut reader = FrameReader::new(stream, crate::peer::hello::MAX_HELLO_FRAME);
    if !hello {
        reader.proven(key);
    }
    let mut contents = Vec::new();
    loop {
        match at_once(reader.next()) {
            Ok(content) => contents.push(content),
            Err(error) => return (contents, error.to_string()),
        }
    }
}

/// A stream of frames with these contents, authenticated if there is a key.
pub fn write_frames(contents: &[Vec<u8>], key: Option<[u8; 32]>) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut writer = FrameWriter::new(&mut stream, MAX_PEER_FRAME);
    writer.proven(key);
    for content in contents {
        let written: Result<(), FrameError> = at_once(async {
            writer.feed(Bytes::from(content.clone())).await?;
            writer.flush().await
        });
        written.unwrap_or_else(|error| unreachable!("memory takes every frame: {error}"));
    }
    drop(writer);
    stream
}

/// Whether a server of this configuration, with this key, takes a stream for a peer that has proved itself.
pub fn accepts(stream: Vec<u8>, config: &NodeConfig, key: PeerKey) -> bool {
    let introduction = Introduction {
        role: config.role,
        boot: [8; 16],
        triad: config.triad.clone(),
        rules: crate::engine::settings::rules(config),
        key: Some(key),
    };
    let two_ways = tokio::io::join(std::io::Cursor::new(stream), tokio::io::sink());
    at_once(introduction.accept(two_ways, None, [2; 32])).is_ok()
}

/// Runs what never has to wait, because all its streams are memory.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("memory is always ready"),
    }
}

/// A kind of record in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreRecord {
    /// Entries of the log.
    Entries,
    /// The vote.
    Vote,
    /// What the log was purged up to.
    Purged,
    /// What is committed.
    Committed,
    /// How far the log had reached.
    Mark,
}

impl StoreRecord {
    /// All of them.
    pub const ALL: [StoreRecord; 5] = [
        StoreRecord::Entries,
        StoreRecord::Vote,
        StoreRecord::Purged,
        StoreRecord::Committed,
        StoreRecord::Mark,
    ];

    /// Reads a record and writes it again.
    ///
    /// Errors: why it cannot be read.
    pub fn reread(self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            StoreRecord::Entries => rewrite::<Vec<Entry>>(bytes),
            StoreRecord::Vote => rewrite::<Vote>(bytes),
            StoreRecord::Purged => rewrite::<LogId>(bytes),
            StoreRecord::Committed => rewrite::<LogId>(bytes),
            StoreRecord::Mark => rewrite::<Slot>(bytes),
        }
    }

    /// A record as the store writes it.
    pub fn sample(self) -> Vec<u8> {
        let id: LogId = LogId::new(openraft::vote::RaftLeaderId::to_committed(&leader()), 12);
        match self {
            StoreRecord::Entries => record::write(&vec![
                Entry::new(id, EntryPayload::Blank),
                Entry::new(
                    id,
                    EntryPayload::Normal(crate::engine::types::Payload(Bytes::from_static(b"\x01\0\x05"))),
                ),
            ]),
            StoreRecord::Vote => record::write(&Vote { leader_id: leader(), committed: true }),
            StoreRecord::Purged | StoreRecord::Committed => record::write(&id),
            StoreRecord::Mark => record::write(&Slot::sample()),
        }
    }
}

fn leader() -> openraft::alias::LeaderIdOf<crate::engine::types::Types> {
    openraft::vote::RaftLeaderId::new(3, 1)
}

fn rewrite<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let value: T = record::read(bytes, "record").map_err(|error| error.to_string())?;
    Ok(record::write(&value))
}

/// The proposals in a record of entries that can be read.
pub fn proposals(bytes: &[u8]) -> Vec<Bytes> {
    let entries: Vec<Entry> = record::read(bytes, "record").unwrap_or_default();
    let proposal = |entry: Entry| match entry.payload {
        EntryPayload::Normal(payload) => Some(payload.0),
        EntryPayload::Blank | EntryPayload::Membership(_) => None,
    };
    entries.into_iter().filter_map(proposal).collect()
}

/// A record of entries with these proposals.
pub fn record_of(proposals: &[Vec<u8>]) -> Vec<u8> {
    let entry = |(index, proposal): (u64, &Vec<u8>)| {
        let id = LogId::new(openraft::vote::RaftLeaderId::to_committed(&leader()), index);
        Entry::new(id, EntryPayload::Normal(crate::engine::types::Payload(Bytes::from(proposal.clone()))))
    };
    record::write(&(1..).zip(proposals).map(entry).collect::<Vec<Entry>>())
}

/// Puts the version and the right checksum before a body, so that the body is read at all.
pub fn seal_record(body: &[u8]) -> Vec<u8> {
    [&[record::RECORD_VERSION][..], &crc32c::crc32c(body).to_le_bytes(), body].concat()
}

/// The state in the bytes of a snapshot file, and the file written again.
///
/// Errors: why it cannot be read.
pub fn reread_snapshot_file(bytes: &[u8]) -> Result<(Bytes, Vec<u8>), String> {
    let (meta, state) = shelf::parse(bytes.to_vec())?;
    let again = snapshot_file(&meta, &state);
    Ok((state, again))
}

/// A snapshot file with this state.
pub fn sample_snapshot_file(state: &[u8]) -> Vec<u8> {
    let ids = std::collections::BTreeSet::from([1, 2, 3]);
    let id = LogId::new(openraft::vote::RaftLeaderId::to_committed(&leader()), 9);
    let members = openraft::Membership::new_with_defaults(vec![ids.clone()], ids);
    let last_membership = crate::engine::types::StoredMembership::new(Some(id), members);
    snapshot_file(&SnapshotMeta { last_log_id: Some(id), last_membership }, state)
}

/// Puts the right checksum behind the body of a snapshot file.
pub fn seal_snapshot_file(body: &[u8]) -> Vec<u8> {
    [body, &crc32c::crc32c(body).to_le_bytes()].concat()
}

fn snapshot_file(meta: &SnapshotMeta, state: &[u8]) -> Vec<u8> {
    seal_snapshot_file(&[&shelf::header(meta)[..], state].concat())
}
