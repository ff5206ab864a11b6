//! Bytes of every released format version still decode, and the newest is still written byte for byte.
//!
//! `golden/v1/` holds one state with everything in it and one proposal of every kind, as format 1 wrote them. A change
//! of these bytes is a change of what is on users' disks and on the wire between servers of different age: it needs a
//! new [`FORMAT_VERSION`], a reader for the old one, and a line marked `Data:` in the changelog. The files of a new
//! version are written, never overwritten, by
//!
//! ```text
//! LICENSING_WRITE_GOLDEN=1 cargo test -p licensing-core --test golden
//! ```
//!
//! A state keeps answers, and answers keep their explanations, so a better wording of one also ends up here: servers
//! of different age then differ in that text until all are upgraded.
//!
//! Files of an old version stay for as long as it can be read, each with the value it must decode to.

// The crate itself may not touch files or the environment; its golden files have to be read.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::PathBuf;

use licensing_core::codec::CodecError;
use licensing_core::encode::FORMAT_VERSION;
use licensing_core::*;

const LICENSE: &str = "\
SERVER alpha 0019d244e9fc 27000 PRIMARY_IS_MASTER
SERVER beta 0019d244e9fd 27000
SERVER gamma 0019d244e9fe 27000
VENDOR acme
FEATURE solver acme 2.10 31-dec-2026 5 ISSUED=01-jan-2026 SIGN=0
INCREMENT solver acme 2.10 permanent 3 START=01-jun-2026 SIGN=1
INCREMENT mesher acme 1.0 permanent 2 HOSTID=00112233 VENDOR_STRING=gold BORROW=24 SIGN=2
FEATURE viewer acme 1.0 permanent uncounted HOSTID=ANY SIGN=3
";

/// 1-mar-2026 12:00 UTC in ms since the epoch.
const NOON: u64 = 1_772_366_400_000;

#[test]
fn every_kind_of_proposal_reads_and_writes_as_in_its_golden_file() {
    for (kind, proposal) in proposals() {
        let golden = golden(&format!("proposal-{kind}.bin"), || proposal.to_bytes());
        assert_eq!(Proposal::from_bytes(&golden).as_ref(), Ok(&proposal), "{kind}");
        assert_eq!(proposal.to_bytes(), golden, "{kind}");
    }
}

#[test]
fn a_state_with_everything_in_it_reads_and_writes_as_in_its_golden_file() {
    let state = state();
    let golden = golden("state.bin", || state.to_bytes());
    assert_eq!(State::from_bytes(&golden).as_ref(), Ok(&state));
    assert_eq!(state.to_bytes(), golden);
    assert_eq!(
        state.digest().to_string(),
        "f2194e956a0fa12fad5bb25bed5029e6e4d65b66da23a94cc5983902220156cf"
    );
}

#[test]
fn the_empty_state_is_the_smallest_state() {
    let golden = golden("state-empty.bin", || State::new().to_bytes());
    assert_eq!(State::from_bytes(&golden), Ok(State::new()));
    assert_eq!(State::new().to_bytes(), golden);
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let newer = |mut bytes: Vec<u8>| {
        bytes[0] = FORMAT_VERSION + 1;
        bytes
    };
    let refused =
        |what| CodecError::UnknownVersion { what, found: FORMAT_VERSION + 1, known: FORMAT_VERSION };
    assert_eq!(State::from_bytes(&newer(state().to_bytes())), Err(refused("state")));
    let (_, proposal) = proposals().remove(0);
    assert_eq!(Proposal::from_bytes(&newer(proposal.to_bytes())), Err(refused("proposal")));
    assert!(matches!(State::from_bytes(&[]), Err(CodecError::Malformed { .. })));
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let mut bytes = state().to_bytes();
    bytes.push(0);
    assert_eq!(State::from_bytes(&bytes), Err(CodecError::Trailing { what: "state", left: 1 }));
}

/// The golden file of the format that is written today, made if it is asked for and not there yet.
fn golden(name: &str, bytes: impl Fn() -> Vec<u8>) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{FORMAT_VERSION}"));
    let path = folder.join(name);
    if std::env::var("LICENSING_WRITE_GOLDEN").is_ok() && !path.exists() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&path, bytes()).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn identity(user: &str) -> Identity {
    Identity { user: user.to_owned(), host: "desk".to_owned(), display: ":0".to_owned(), pid: 4711 }
}

fn call(session: u64, request: u64, acknowledged: u64, action: Action) -> Command {
    let (request, acknowledged) = (RequestId(request), RequestId(acknowledged));
    let token = Token([session as u8; 16]);
    Command::Call(Call { session: SessionId(session), token, request, acknowledged, action })
}

fn checkout(feature: &str, version: &str, seats: u32) -> Action {
    Action::Checkout { feature: feature.to_owned(), version: version.to_owned(), seats: Seats(seats) }
}

/// One of every command and every action. The match keeps the list complete: a new kind does not compile here until
/// it is named, and then needs its golden file.
fn proposals() -> Vec<(&'static str, Proposal)> {
    let holder = Removal::Holder {
        feature: "solver".to_owned(),
        user: "ada".to_owned(),
        host: "desk".to_owned(),
        display: ":0".to_owned(),
    };
    let owner = Some(Token([3; 16]));
    let commands = [
        Command::Install { license: LICENSE.to_owned() },
        Command::OpenSession { token: Token([2; 16]), identity: identity("ada") },
        Command::CloseSession { session: SessionId(2), token: Token([2; 16]) },
        Command::Expire { sessions: vec![SessionId(2), SessionId(300)], judged_at: LogIndex(70_000) },
        call(2, 7, 5, checkout("solver", "2.1", 3)),
        call(2, 8, 6, Action::Checkin { handle: Handle(9), owner }),
        call(2, 9, 7, Action::Remove(Removal::Handle(Handle(9)))),
        call(2, 10, 8, Action::Remove(holder)),
        call(2, 11, 9, Action::Maintain { role: Role::Secondary, on: true }),
        call(2, 12, 10, Action::PreferMaster { role: Some(Role::Primary) }),
        Command::Tick,
    ];
    let kind = |command: &Command| match command {
        Command::Install { .. } => "install",
        Command::OpenSession { .. } => "open-session",
        Command::CloseSession { .. } => "close-session",
        Command::Expire { .. } => "expire",
        Command::Call(call) => match &call.action {
            Action::Checkout { .. } => "checkout",
            Action::Checkin { .. } => "checkin",
            Action::Remove(Removal::Handle(_)) => "remove-handle",
            Action::Remove(Removal::Holder { .. }) => "remove-holder",
            Action::Maintain { .. } => "maintain",
            Action::PreferMaster { .. } => "prefer-master",
        },
        Command::Tick => "tick",
    };
    let proposal = |command| (kind(&command), Proposal { at: Timestamp(NOON), command });
    commands.into_iter().map(proposal).collect()
}

/// A state with every kind of thing in it: pools of the license and one it no longer mentions, seats carried over,
/// checkouts with the pool's version and with their own, answers of every kind that a session can keep, marks on
/// servers.
fn state() -> State {
    let smaller = LICENSE.replace("31-dec-2026 5", "31-dec-2026 1");
    let smaller: String =
        smaller.lines().filter(|line| !line.contains("mesher")).map(|line| line.to_owned() + "\n").collect();
    let commands = [
        Command::Install { license: LICENSE.to_owned() },
        Command::OpenSession { token: Token([2; 16]), identity: identity("ada") },
        Command::OpenSession { token: Token([3; 16]), identity: identity("bób") },
        call(2, 1, 0, checkout("solver", "2.10", 2)),
        call(2, 2, 1, checkout("solver", "2", 1)),
        call(2, 3, 1, checkout("mesher", "1.0", 2)),
        call(2, 4, 1, checkout("viewer", "0.9", 70_000)),
        call(3, 1, 0, checkout("solver", "2.10", 9)),
        call(3, 2, 0, checkout("solver", "2.10", 3)),
        call(3, 3, 0, checkout("nosuch", "1", 1)),
        call(3, 4, 0, checkout("solver", "3", 1)),
        call(3, 5, 0, checkout("solver", "x", 1)),
        call(3, 6, 0, checkout("solver", "1", 0)),
        call(3, 7, 0, Action::Checkin { handle: Handle(5), owner: None }),
        call(3, 8, 0, Action::Checkin { handle: Handle(999), owner: None }),
        call(3, 9, 0, Action::Remove(Removal::Handle(Handle(999)))),
        call(3, 10, 0, Action::Maintain { role: Role::Secondary, on: true }),
        call(3, 11, 0, Action::PreferMaster { role: Some(Role::Primary) }),
        call(3, 12, 0, Action::PreferMaster { role: Some(Role::Tertiary) }),
        call(3, 13, 0, checkout("solver", "1", 1)),
        call(3, 14, 0, Action::Checkin { handle: Handle(20), owner: None }),
        call(3, 15, 0, checkout("solver", "1", 1)),
        call(3, 16, 0, Action::Remove(Removal::Handle(Handle(22)))),
        Command::Install { license: smaller },
        call(3, 17, 0, checkout("solver", "1", 1)),
    ];
    let mut state = State::new();
    for (index, command) in (1..).zip(commands) {
        apply(&mut state, LogIndex(index), &Proposal { at: Timestamp(NOON + index), command });
    }
    let pools: Vec<_> = state.pools().map(|pool| (pool.feature, pool.licensed, pool.in_use.0)).collect();
    assert_eq!(
        pools,
        [("solver", Some(Seats(1)), 3), ("viewer", None, 70_000), ("mesher", Some(Seats(0)), 2)]
    );
    state
}
