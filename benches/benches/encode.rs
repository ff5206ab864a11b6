//! What bytes cost: entries of the log, frames of clients, snapshots.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use licensing_client::framing::{decode_frame, encode_frame};
use licensing_client::protocol::{ClientMessage, Reply, Request, ServerMessage};
use licensing_core::command::{Call, Proposal};
use licensing_core::id::{Handle, LogIndex, Seats, SessionId, Timestamp};
use licensing_core::outcome::{Answer, Outcome};
use licensing_core::state::State;
use support::site::{self, Site};

/// Bytes of a frame's length.
const LENGTH: usize = 4;

/// Checkouts in the snapshot.
const SNAPSHOT_CHECKOUTS: u64 = 10_000;

fn proposals(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("proposal");
    let proposal = site::checkout_proposal(1);
    let bytes = proposal.to_bytes();
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("to_bytes", |bencher| bencher.iter(|| black_box(&proposal).to_bytes()));
    group.bench_function("from_bytes", |bencher| {
        bencher.iter(|| Proposal::from_bytes(black_box(&bytes)).unwrap())
    });
    group.finish();
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("client frame");
    let Call { session, token, request, acknowledged, action } =
        site::call(SessionId(7), 1, site::checkout());
    let asked =
        ClientMessage { id: 1, request: Request::Call { session, token, request, acknowledged, action } };
    let granted = Outcome::Granted { handle: Handle(9), seats: Seats(1) };
    let answer = Answer { index: LogIndex(9), at: Timestamp(1_800_000_000_000), outcome: granted };
    let answered = ServerMessage::Reply { id: 1, reply: Reply::Answer(answer) };
    let (asked_bytes, answered_bytes) = (encode_frame(&asked).unwrap(), encode_frame(&answered).unwrap());
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode checkout", |bencher| {
        bencher.iter(|| encode_frame(black_box(&asked)).unwrap())
    });
    group.bench_function("decode checkout", |bencher| {
        bencher.iter(|| decode_frame::<ClientMessage>(black_box(&asked_bytes[LENGTH..]), "request").unwrap());
    });
    group.bench_function("encode answer", |bencher| {
        bencher.iter(|| encode_frame(black_box(&answered)).unwrap())
    });
    group.bench_function("decode answer", |bencher| {
        bencher
            .iter(|| decode_frame::<ServerMessage>(black_box(&answered_bytes[LENGTH..]), "answer").unwrap());
    });
    group.finish();
}

fn snapshots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("snapshot of {SNAPSHOT_CHECKOUTS} checkouts"));
    let state = Site::with_checkouts(SNAPSHOT_CHECKOUTS).state;
    let bytes = state.to_bytes();
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("to_bytes", |bencher| bencher.iter(|| black_box(&state).to_bytes()));
    group.bench_function("from_bytes", |bencher| {
        bencher.iter(|| State::from_bytes(black_box(&bytes)).unwrap())
    });
    group.finish();
}

criterion_group!(benches, proposals, frames, snapshots);
criterion_main!(benches);
