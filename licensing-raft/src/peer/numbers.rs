//! The numbers of everything that peers say to each other, openraft's words included. Servers of neighbouring versions
//! form one triad, so they are for good: a line here is added, never changed. A new version of openraft that moves one of
//! them is another peer protocol.
//!
//! A number is the place of a variant in its enum. Roles and whatever an entry carries are pinned in
//! `licensing-core/tests/numbers.rs`.

use std::collections::BTreeSet;

use bytes::Bytes;
use licensing_core::codec::{to_bytes, variants};
use licensing_core::edition::Edition;
use licensing_core::id::{LogIndex, Role, Timestamp};
use openraft::entry::RaftEntry;
use openraft::vote::RaftLeaderId;
use openraft::{EmptyNode, EntryPayload, Membership};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::types::{
    AppendRequest, AppendResponse, Entry, LogId, Payload, SnapshotMeta, StoredMembership, TransferRequest,
    Types, Vote, VoteRequest, VoteResponse,
};
use crate::membership::standing::{Standing, TriadId};
use crate::peer::hello::{Introduction, Welcome};
use crate::peer::message::{Chunk, Envelope, Lane, PeerReply, PeerRequest, Report};

type LeaderId = openraft::alias::LeaderIdOf<Types>;

fn numbers<T: DeserializeOwned>() -> String {
    let numbered = variants::<T>().iter().enumerate().map(|(number, name)| format!("{number} {name}"));
    numbered.collect::<Vec<_>>().join(", ")
}

fn hex(message: &impl Serialize) -> String {
    to_bytes(message).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn requests_and_replies_keep_their_numbers() {
    assert_eq!(
        numbers::<PeerRequest>(),
        "0 Append, 1 Vote, 2 PreVote, 3 Transfer, 4 Snapshot, 5 Survey, 6 Found"
    );
    assert_eq!(
        numbers::<PeerReply>(),
        "0 Append, 1 Vote, 2 Transfer, 3 Snapshot, 4 Survey, 5 Found, 6 Refused"
    );
}

#[test]
fn words_of_the_hello_keep_their_numbers() {
    assert_eq!(numbers::<Welcome>(), "0 Accepted, 1 Refused");
    assert_eq!(numbers::<Lane>(), "0 Log, 1 Control, 2 Snapshot");
    assert_eq!(numbers::<Standing>(), "0 Unborn, 1 Founding, 2 Joining, 3 Member");
}

#[test]
fn words_of_the_engine_keep_their_numbers() {
    assert_eq!(numbers::<EntryPayload<Payload, u64, EmptyNode>>(), "0 Blank, 1 Normal, 2 Membership");
    assert_eq!(numbers::<AppendResponse>(), "0 Success, 1 PartialSuccess, 2 Conflict, 3 HigherVote");
    assert_eq!(numbers::<openraft::raft::TransferLeaderError<Types>>(), "0 VoteChanged, 1 LogNotFlushed");
}

fn vote() -> Vote {
    Vote { leader_id: LeaderId::new(3, 1), committed: true }
}

fn log_id(index: u64) -> LogId {
    LogId::new(LeaderId::new(2, 1).to_committed(), index)
}

fn members() -> Membership<u64, EmptyNode> {
    let ids = BTreeSet::from([1, 2, 3]);
    Membership::new_with_defaults(vec![ids.clone()], ids)
}

#[test]
fn a_hello_keeps_its_bytes() {
    let triad_id = Some(TriadId([5; 16]));
    let (triad, rules) = ("ANY ANY ANY".to_owned(), "heartbeat 50 ms".to_owned());
    let secondary = Introduction { role: Role::Secondary, boot: [6; 16], triad, rules, key: None };
    let hello = secondary.hello(triad_id, Lane::Control, [7; 32]);
    assert_eq!(
        hex(&hello),
        "0101010b414e5920414e5920414e590f686561727462656174203530206d73010505050505050505\
         05050505050505050106060606060606060606060606060606000707070707070707070707070707\
         07070707070707070707070707070707070700"
    );
    assert_eq!(
        hex(&Welcome::Accepted { hello: secondary.hello(None, Lane::Log, [7; 32]), proof: [9; 32] }),
        "000101010b414e5920414e5920414e590f686561727462656174203530206d730000060606060606\
         06060606060606060606000707070707070707070707070707070707070707070707070707070707\
         070707000909090909090909090909090909090909090909090909090909090909090909"
    );
    assert_eq!(hex(&Welcome::Refused { why: "why".to_owned() }), "0103776879");
}

fn check_request(body: PeerRequest, bytes: &str) {
    assert_eq!(hex(&Envelope { id: 300, body }), bytes);
}

fn check_reply(body: PeerReply, bytes: &str) {
    assert_eq!(hex(&Envelope { id: 300, body }), bytes);
}

fn report() -> Report {
    Report {
        role: Role::Secondary,
        boot: [6; 16],
        standing: Standing::Member { triad_id: TriadId([5; 16]) },
        leads: true,
        last_log_index: Some(LogIndex(300)),
        applied_index: None,
        clock: Timestamp(1000),
        leaving: false,
        software_version: "0.1.0".to_owned(),
        known_edition: Edition(2),
        readmitted: vec![[8; 16]],
    }
}

#[test]
fn requests_keep_their_bytes() {
    let entries = vec![
        Entry::new(log_id(8), EntryPayload::Blank),
        Entry::new(log_id(9), EntryPayload::Normal(Payload(Bytes::from_static(b"seat")))),
        Entry::new(log_id(10), EntryPayload::Membership(members())),
    ];
    let append =
        AppendRequest { vote: vote(), prev_log_id: Some(log_id(7)), entries, leader_commit: Some(log_id(6)) };
    check_request(
        PeerRequest::Append(append),
        "fb2c010003010101010207030208000209010473656174020a02010301020303010203010206",
    );
    check_request(PeerRequest::Vote(VoteRequest::new(vote(), Some(log_id(7)))), "fb2c01010301010101020700");
    check_request(PeerRequest::PreVote(VoteRequest::new(vote(), None)), "fb2c0102030101010000");
    check_request(
        PeerRequest::Transfer(TransferRequest::new(vote(), 2, Some(log_id(7)))),
        "fb2c01030301010102010207",
    );
    let last_membership = StoredMembership::new(Some(log_id(1)), members());
    let meta = SnapshotMeta { last_log_id: Some(log_id(7)), last_membership };
    let bytes = Bytes::from_static(b"seat");
    let chunk = Chunk { vote: vote(), meta, total: 1000, offset: 300, checksum: 0x0102_0304, bytes };
    check_request(
        PeerRequest::Snapshot(chunk),
        "fb2c01040301010101020701020101030102030301020300fbe803fb2c01fc040302010473656174",
    );
    check_request(
        PeerRequest::Survey(report()),
        "fb2c0105010606060606060606060606060606060603050505050505050505050505050505050101\
         fb2c0100fbe8030005302e312e30020108080808080808080808080808080808",
    );
    check_request(PeerRequest::Found(TriadId([5; 16])), "fb2c010605050505050505050505050505050505");
}

#[test]
fn replies_keep_their_bytes() {
    check_reply(
        PeerReply::Vote(VoteResponse::new(vote(), Some(log_id(7)), true)),
        "fb2c01010301010101010207",
    );
    check_reply(PeerReply::Snapshot(Some(vote())), "fb2c01030103010101");
    check_reply(
        PeerReply::Survey(report()),
        "fb2c0104010606060606060606060606060606060603050505050505050505050505050505050101\
         fb2c0100fbe8030005302e312e30020108080808080808080808080808080808",
    );
    check_reply(PeerReply::Found, "fb2c0105");
    check_reply(PeerReply::Refused("why".to_owned()), "fb2c010603776879");
}
