//! A fixed amount of work of the core and nothing else, for `benches/instructions.sh` to count its instructions.
//!
//! `core_work WORK LIVE TIMES` does the work so many times, on a state with so many live checkouts. Everything before it
//! is the same whatever TIMES is, so the difference of two runs is the work alone.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::process::ExitCode;

use licensing_core::command::Proposal;
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use site::{Site, checkout_proposal};

#[allow(dead_code)]
#[path = "../benches/support/site.rs"]
mod site;

/// Entries that are made before the work, all of them in every run: the most that can be applied.
const ENTRIES: usize = 20_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [work, live, times] = arguments.as_slice()
        && let (Ok(live), Ok(times)) = (live.parse(), times.parse())
        && times <= ENTRIES
        && let Some(work) = chosen(work)
    {
        work(Site::with_checkouts(live), times);
        return ExitCode::SUCCESS;
    }
    eprintln!("usage: core_work (encode|decode|apply|write|read) LIVE TIMES; no more than {ENTRIES} TIMES");
    ExitCode::from(2)
}

fn chosen(work: &str) -> Option<fn(Site, usize)> {
    match work {
        "encode" => Some(encode),
        "decode" => Some(decode),
        "apply" => Some(apply),
        "write" => Some(write_snapshot),
        "read" => Some(read_snapshot),
        _ => None,
    }
}

/// A checkout to an entry of the log.
fn encode(_: Site, times: usize) {
    let proposal = checkout_proposal(1);
    for _ in 0..times {
        black_box(black_box(&proposal).to_bytes());
    }
}

/// An entry of the log to a checkout.
fn decode(_: Site, times: usize) {
    let bytes = checkout_proposal(1).to_bytes();
    for _ in 0..times {
        black_box(Proposal::from_bytes(black_box(&bytes)).unwrap());
    }
}

/// Entries of the log, in turn a checkout and its checkin, decoded and applied as a node does.
fn apply(mut site: Site, times: usize) {
    let entries = site.entries_to_come(ENTRIES as u64);
    for (index, bytes) in &entries[..times] {
        let proposal = Proposal::from_bytes(bytes).unwrap();
        let outcome = site.state.apply(*index, &proposal).answer.outcome;
        assert!(matches!(outcome, Outcome::Granted { .. } | Outcome::Returned { .. }), "{outcome:?}");
    }
}

/// The state to a snapshot.
fn write_snapshot(site: Site, times: usize) {
    for _ in 0..times {
        black_box(black_box(&site.state).to_bytes());
    }
}

/// A snapshot to the state, with the check of all invariants that is part of it.
fn read_snapshot(site: Site, times: usize) {
    let bytes = site.state.to_bytes();
    for _ in 0..times {
        black_box(State::from_bytes(black_box(&bytes)).unwrap());
    }
}
