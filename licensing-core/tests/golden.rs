//! Bytes of every format still decode, and the newest is still written byte for byte.
//!
//! `golden/v3/` holds a state with everything in it, as format 3 writes it, `golden/v2/` one proposal of every kind and a state of
//! before edition 3, as format 2 writes them; `golden/v1/` the same of format 1, which is only read. A change of these bytes is a change of what is on users' disks and on the wire
//! between servers of different age: it needs a new format, a reader for the old one, and a line marked `Data:` in the
//! changelog. The files of a new format are written, never overwritten, by
//!
//! ```text
//! LICENSING_WRITE_GOLDEN=1 cargo test -p licensing-core --test golden
//! ```
//!
//! A state keeps answers, and answers keep their explanations, so a better wording of one also ends up here: servers
//! of different age then differ in that text until all are upgraded.

// The crate itself may not touch files or the environment; its golden files have to be read.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::PathBuf;

use licensing_core::codec::CodecError;
use licensing_core::encode::{PROPOSAL_FORMAT, STATE_FORMAT, compiled};
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
        let golden = golden(PROPOSAL_FORMAT, &format!("proposal-{kind}.bin"), || proposal.to_bytes());
        assert_eq!(Proposal::from_bytes(&golden).as_ref(), Ok(&proposal), "{kind}");
        assert_eq!(proposal.to_bytes(), golden, "{kind}");
    }
}

#[test]
fn a_state_with_everything_in_it_reads_and_writes_as_in_its_golden_file() {
    let state = state();
    let golden = golden(STATE_FORMAT, "state.bin", || state.to_bytes());
    assert_eq!(State::from_bytes(&golden).as_ref(), Ok(&state));
    assert_eq!(state.to_bytes(), golden);
    assert_eq!(
        state.digest().to_string(),
        "b4a768a2f821b642a5595cccfee2669ac5f4f267fb109efbdaec01ee0d1a9ba6"
    );
}

#[test]
fn a_state_of_before_edition_3_reads_and_writes_as_in_its_golden_file() {
    let state = state_of_format_2();
    let golden = golden(2, "state.bin", || state.to_bytes());
    assert_eq!(State::from_bytes(&golden).as_ref(), Ok(&state));
    assert_eq!(state.to_bytes(), golden);
    assert_eq!(
        state.digest().to_string(),
        "84201ede6f4ca23bcba0c1f1a0db1f5048044042e1313fc43ecb8be3654c5cf8"
    );
}

#[test]
fn the_empty_state_is_the_smallest_state() {
    let golden = golden(2, "state-empty.bin", || State::new().to_bytes());
    assert_eq!(State::from_bytes(&golden), Ok(State::new()));
    assert_eq!(State::new().to_bytes(), golden);
}

#[test]
fn format_1_still_reads_as_what_it_meant() {
    let old = |name: &str| golden(1, name, || panic!("format 1 is no longer written"));
    let kinds = proposals().into_iter().filter(|(kind, _)| !NEW_IN_FORMAT_2.contains(kind));
    for (kind, proposal) in kinds {
        assert_eq!(Proposal::from_bytes(&old(&format!("proposal-{kind}.bin"))), Ok(proposal), "{kind}");
    }
    assert_eq!(State::from_bytes(&old("state-empty.bin")), Ok(State::new()));
    assert_eq!(State::from_bytes(&old("state.bin")), Ok(state_of_format_1()));
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let newer = |format, mut bytes: Vec<u8>| {
        bytes[0] = format + 1;
        bytes
    };
    let refused = |what, known| CodecError::UnknownVersion { what, found: known + 1, known };
    let bytes = newer(STATE_FORMAT, state().to_bytes());
    assert_eq!(State::from_bytes(&bytes), Err(refused("state", STATE_FORMAT)));
    let bytes = newer(PROPOSAL_FORMAT, proposals().remove(0).1.to_bytes());
    assert_eq!(Proposal::from_bytes(&bytes), Err(refused("proposal", PROPOSAL_FORMAT)));
    assert!(matches!(State::from_bytes(&[]), Err(CodecError::Malformed { .. })));
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let mut bytes = state().to_bytes();
    bytes.push(0);
    assert_eq!(State::from_bytes(&bytes), Err(CodecError::Trailing { what: "state", left: 1 }));
}

/// What format 1 did not know.
const NEW_IN_FORMAT_2: [&str; 9] = [
    "install-staged",
    "stage",
    "raise-edition",
    "hold-edition",
    "checkout-of-vendor",
    "checkout-with",
    "set-vendor-data",
    "set-vendor-data-of-checkout",
    "set-triad-data",
];

/// A golden file, made if it is asked for and not there yet.
fn golden(format: u8, name: &str, bytes: impl Fn() -> Vec<u8>) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{format}"));
    let path = folder.join(name);
    if std::env::var("LICENSING_WRITE_GOLDEN").is_ok() && !path.exists() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&path, bytes()).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Format 1 stored no file names.
fn compiled_license(text: &str) -> Compiled {
    Compiled::from_text("license.lic", text).unwrap()
}

fn install(text: &str) -> Command {
    Command::Install(compiled_license(text).into())
}

fn identity(user: &str) -> Identity {
    Identity {
        user: user.to_owned(),
        host: "desk".to_owned(),
        display: ":0".to_owned(),
        pid: 4711,
        project: String::new(),
    }
}

fn call(session: u64, request: u64, acknowledged: u64, action: Action) -> Command {
    let (request, acknowledged) = (RequestId(request), RequestId(acknowledged));
    let token = Token([session as u8; 16]);
    Command::Call(Call { session: SessionId(session), token, request, acknowledged, action })
}

fn checkout(feature: &str, version: &str, seats: u32) -> Action {
    let (feature, version) = (feature.to_owned(), version.to_owned());
    Action::Checkout { vendor: None, feature, version, seats: Seats(seats) }
}

fn checkout_of_vendor(vendor: &str, mut action: Action) -> Action {
    if let Action::Checkout { vendor: asked, .. } = &mut action {
        *asked = Some(vendor.to_owned());
    }
    action
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
        install(LICENSE),
        Command::OpenSession { token: Token([2; 16]), identity: identity("ada"), address: None },
        Command::CloseSession { session: SessionId(2), token: Token([2; 16]) },
        Command::Expire { sessions: vec![SessionId(2), SessionId(300)], judged_at: LogIndex(70_000) },
        call(2, 7, 5, checkout("solver", "2.1", 3)),
        call(2, 8, 6, Action::Checkin { handle: Handle(9), owner }),
        call(2, 9, 7, Action::Remove(Removal::Handle(Handle(9)))),
        call(2, 10, 8, Action::Remove(holder)),
        call(2, 11, 9, Action::Maintain { role: Role::Secondary, on: true }),
        call(2, 12, 10, Action::PreferMaster { role: Some(Role::Primary) }),
        Command::Tick,
        Command::Install(Install::Staged { digest: Digest([7; 32]) }),
        Command::Stage { digest: Digest([7; 32]), part: 300, bytes: vec![1, 2, 3] },
        Command::RaiseEdition { to: Edition(2) },
        Command::HoldEdition { on: true },
        call(2, 13, 11, checkout_of_vendor("acme", checkout("solver", "2.1", 3))),
        call(2, 14, 12, checkout_with("solver", b"render farm")),
        call(2, 15, 13, Action::SetVendorData { handle: None, data: vec![0, 255] }),
        call(2, 16, 14, Action::SetVendorData { handle: Some(Handle(9)), data: Vec::new() }),
        set_triad_data("quota", Some(b"12"), Some(LogIndex(300))),
    ];
    let kind = |command: &Command| match command {
        Command::Install(Install::Whole(_)) => "install",
        Command::Install(Install::Staged { .. }) => "install-staged",
        Command::Stage { .. } => "stage",
        Command::RaiseEdition { .. } => "raise-edition",
        Command::HoldEdition { .. } => "hold-edition",
        Command::OpenSession { .. } => "open-session",
        Command::CloseSession { .. } => "close-session",
        Command::Expire { .. } => "expire",
        Command::Call(call) => match &call.action {
            Action::Checkout { vendor: Some(_), .. } => "checkout-of-vendor",
            Action::Checkout { .. } => "checkout",
            Action::Checkin { .. } => "checkin",
            Action::Remove(Removal::Handle(_)) => "remove-handle",
            Action::Remove(Removal::Holder { .. }) => "remove-holder",
            Action::Maintain { .. } => "maintain",
            Action::PreferMaster { .. } => "prefer-master",
            Action::CheckoutWith { .. } => "checkout-with",
            Action::SetVendorData { handle: None, .. } => "set-vendor-data",
            Action::SetVendorData { handle: Some(_), .. } => "set-vendor-data-of-checkout",
        },
        Command::SetTriadData { .. } => "set-triad-data",
        Command::Tick => "tick",
    };
    let proposal = |command| (kind(&command), Proposal { at: Timestamp(NOON), command });
    commands.into_iter().map(proposal).collect()
}

fn checkout_with(feature: &str, data: &[u8]) -> Action {
    Action::checkout(None, feature.to_owned(), "1".to_owned(), Seats(1), data.to_vec())
}

fn set_triad_data(key: &str, value: Option<&[u8]>, believed: Option<LogIndex>) -> Command {
    Command::SetTriadData { key: key.to_owned(), value: value.map(<[u8]>::to_vec), believed }
}

/// A state with every kind of thing in it: what format 2 could say, and vendor data of all three kinds, with the answers that
/// go with it.
fn state() -> State {
    let mut state = state_of_format_2();
    let mut next = LogIndex(31);
    let mut ask = |command| {
        apply(&mut state, next, &Proposal { at: Timestamp(NOON + next.0), command });
        next.0 += 1;
    };
    ask(Command::RaiseEdition { to: Edition(3) });
    ask(call(26, 3, 1, checkout_with("viewer", b"render farm")));
    ask(call(26, 4, 1, Action::SetVendorData { handle: None, data: vec![0, 255] }));
    ask(call(26, 5, 1, Action::SetVendorData { handle: Some(Handle(27)), data: vec![7; 1024] }));
    ask(set_triad_data("quota", Some(b"12"), Some(LogIndex(0))));
    ask(set_triad_data("quota", Some(b"13"), Some(LogIndex(0))));
    ask(set_triad_data("greeting", Some(b""), None));
    let data: Vec<_> =
        state.checkouts().map(|one| one.vendor_data.len()).filter(|length| *length > 0).collect();
    assert_eq!((data, state.vendor_data(SessionId(26))), (vec![1024, 11], &[0, 255][..]));
    state
}

/// A state with every kind of thing in it that format 2 could say: what format 1 could, and who a client works for and where it is, a license
/// on its way, and answers that format 1 did not know.
fn state_of_format_2() -> State {
    let mut state = state_of_format_1();
    let mut next = LogIndex(26);
    let mut ask = |command| {
        apply(&mut state, next, &Proposal { at: Timestamp(NOON + next.0), command });
        next.0 += 1;
    };
    let identity = Identity { project: "apollo".to_owned(), ..identity("eve") };
    let address = Some("192.0.2.7".parse().unwrap());
    ask(Command::OpenSession { token: Token([26; 16]), identity, address });
    ask(call(26, 1, 0, checkout_of_vendor("acme", checkout("viewer", "1", 1))));
    ask(call(26, 2, 1, checkout_of_vendor("nobody", checkout("viewer", "1", 1))));
    let bytes = compiled::to_bytes(&compiled_license(LICENSE));
    ask(Command::HoldEdition { on: true });
    ask(Command::Stage { digest: Digest::of(&bytes), part: 0, bytes: bytes[..100].to_vec() });
    state
}

/// A state with every kind of thing in it that format 1 could say: pools of the license and one it no longer mentions, seats carried over,
/// checkouts with the pool's version and with their own, answers of every kind that a session can keep, marks on
/// servers.
fn state_of_format_1() -> State {
    let smaller = LICENSE.replace("31-dec-2026 5", "31-dec-2026 1");
    let smaller: String =
        smaller.lines().filter(|line| !line.contains("mesher")).map(|line| line.to_owned() + "\n").collect();
    let commands = [
        install(LICENSE),
        Command::OpenSession { token: Token([2; 16]), identity: identity("ada"), address: None },
        Command::OpenSession { token: Token([3; 16]), identity: identity("bób"), address: None },
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
        install(&smaller),
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
