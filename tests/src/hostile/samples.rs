//! Valid inputs: what the damage starts from, and the seeds of the fuzzer's corpus.

use std::sync::OnceLock;

use crate::written::compiled;
use bytes::Bytes;
use licensing_client::framing::encode_frame;
use licensing_client::protocol::{
    ClientMessage, Hello, MasterAddress, PROTOCOL_VERSIONS, Place, Refusal, Reply, Request, ServerMessage,
    StatusFilter, Welcome, Whereabouts,
};
use licensing_core::codec;
use licensing_core::command::{Action, Call, Command, Identity, Proposal, Removal};
use licensing_core::id::{Handle, LogIndex, RequestId, Role, Seats, SessionId, Timestamp, Token};
use licensing_core::license::License;
use licensing_core::outcome::{Answer, Denial, Outcome};
use licensing_core::state::State;
use licensing_raft::NodeConfig;
use licensing_raft::testing::forge::{Claim, Forged, hello_frame};
use licensing_raft::testing::wire::{self, StoreRecord};
use serde::Serialize;

/// The term of whoever judges a peer.
pub const TERM: u64 = 3;

/// The key of the authenticated stream.
pub const FRAME_KEY: [u8; 32] = [0x3c; 32];

/// 1-mar-2026 12:00 UTC.
pub const NOON: Timestamp = Timestamp(1_772_366_400_000);

/// A license with a line of every kind.
const LICENSE: &str = "\
# A triad
SERVER alpha 0019d244e9fc 27000 PRIMARY_IS_MASTER HEARTBEAT_INTERVAL=10
SERVER beta ID=17007 27000
SERVER gamma ANY 27000
VENDOR acme C:\\acme\\acmed.exe OPTIONS=\"C:\\acme files\\acme.opt\" PORT=27010
USE_SERVER
FEATURE solver acme 2.10 31-dec-2026 5 ISSUED=01-jan-2026 SIGN=0
INCREMENT solver acme 2.10 permanent 3 START=01-jun-2026 DUP_GROUP=UH \\
\tVENDOR_STRING=\"pool one\" SIGN=\"0F1E 2D3C \\
\tC3D2 E1F0\"
INCREMENT mesher acme 1.0 permanent 2 HOSTID=00112233 VENDOR_STRING=gold BORROW=24 sort=50 SIGN=2
FEATURE viewer acme 1.0 permanent uncounted HOSTID=ANY SIGN=3
";

/// The configuration of a server of the samples' triad.
pub fn node_config(role: Role) -> &'static NodeConfig {
    static CONFIGS: OnceLock<[NodeConfig; 3]> = OnceLock::new();
    let make = |role| {
        let license = License::parse(LICENSE).expect("the license of the samples");
        NodeConfig::from_license(&license, role, "nowhere").expect("it is for a triad")
    };
    &CONFIGS.get_or_init(|| Role::ALL.map(make))[role.place()]
}

/// A state with sessions, checkouts and kept answers.
pub fn state() -> &'static State {
    static STATE: OnceLock<State> = OnceLock::new();
    STATE.get_or_init(|| {
        let mut state = State::new();
        for (index, proposal) in (1..).zip(proposals()) {
            state.apply(LogIndex(index), &proposal);
        }
        state
    })
}

fn identity() -> Identity {
    Identity {
        user: "ada".to_owned(),
        host: "desk".to_owned(),
        display: ":0".to_owned(),
        pid: 4711,
        project: String::new(),
    }
}

fn call(request: u64, action: Action) -> Call {
    let (request, acknowledged) = (RequestId(request), RequestId(request.saturating_sub(2)));
    Call { session: SessionId(2), token: Token([2; 16]), request, acknowledged, action }
}

fn checkout(seats: u32) -> Action {
    Action::Checkout {
        vendor: None,
        feature: "solver".to_owned(),
        version: "2.1".to_owned(),
        seats: Seats(seats),
    }
}

fn actions() -> Vec<Action> {
    let text = || "ada".to_owned();
    vec![
        checkout(2),
        checkout(1),
        Action::Checkin { handle: Handle(4), owner: None },
        Action::Checkin { handle: Handle(5), owner: Some(Token([3; 16])) },
        Action::Remove(Removal::Handle(Handle(9))),
        Action::Remove(Removal::Holder { feature: text(), user: text(), host: text(), display: text() }),
        Action::Maintain { role: Role::Secondary, on: true },
        Action::PreferMaster { role: Some(Role::Primary) },
        checkout(70_000),
        checkout(3),
    ]
}

fn proposals() -> Vec<Proposal> {
    let mut commands = vec![
        Command::Install(compiled(LICENSE).into()),
        Command::OpenSession { token: Token([2; 16]), identity: identity(), address: None },
        Command::OpenSession { token: Token([3; 16]), identity: identity(), address: None },
    ];
    commands.extend((1..).zip(actions()).map(|(request, action)| Command::Call(call(request, action))));
    commands.extend([
        Command::Expire { sessions: vec![SessionId(3)], judged_at: LogIndex(70_000) },
        Command::CloseSession { session: SessionId(3), token: Token([3; 16]) },
        Command::Tick,
    ]);
    let at = |(step, command)| Proposal { at: Timestamp(NOON.0 + step), command };
    (0..).zip(commands).map(at).collect()
}

fn frame<T: Serialize>(message: &T) -> Vec<u8> {
    encode_frame(message).expect("a sample fits into a frame").to_vec()
}

/// A hello of a client.
pub fn hello() -> Hello {
    Hello::new("a test 1.0")
}

/// Requests of every kind.
pub fn requests() -> Vec<ClientMessage> {
    let (session, token) = (SessionId(2), Token([2; 16]));
    let mut requests = vec![
        Request::OpenSession { token, identity: identity() },
        Request::Heartbeat { session, token },
        Request::Recall { session, token, request: RequestId(3) },
        Request::CloseSession { session, token },
        Request::Status { filter: StatusFilter::default(), after: Some(Place::Checkout(Handle(3))) },
        Request::Authenticate { proof: [7; 32] },
        Request::Reread,
        Request::Shutdown { hand_over: true },
    ];
    requests.extend((1..).zip(actions()).map(|(number, action)| {
        let Call { session, token, request, acknowledged, action } = call(number, action);
        Request::Call { session, token, request, acknowledged, action }
    }));
    (0..).zip(requests).map(|(id, request)| ClientMessage { id, request }).collect()
}

/// For `client_frame`.
pub fn client_frames() -> Vec<Vec<u8>> {
    let mut samples: Vec<Vec<u8>> = requests().iter().map(frame).collect();
    samples.push(samples.concat());
    samples.push(frame(&hello()));
    samples
}

/// For `server_frame`.
pub fn server_frames() -> Vec<Vec<u8>> {
    let whereabouts = Whereabouts {
        role: Role::Secondary,
        master: Some(MasterAddress { role: Role::Primary, host: "alpha".to_owned(), port: 27000 }),
    };
    let outcomes = [
        Outcome::SessionOpened { session: SessionId(2) },
        Outcome::Granted { handle: Handle(4), seats: Seats(2) },
        Outcome::Denied(Denial::BadVersion { version: "x".to_owned() }),
    ];
    let answers = outcomes.map(|outcome| Reply::Answer(Answer { index: LogIndex(300), at: NOON, outcome }));
    let mut replies = vec![
        Reply::Alive { index: LogIndex(70_000), heartbeat_ms: 3000 },
        Reply::Gone,
        Reply::Done("done".to_owned()),
        Reply::NotMaster(whereabouts.clone()),
        Reply::Unknown("no quorum".to_owned()),
        Reply::Busy { retry_after_ms: 20 },
    ];
    replies.extend(answers);
    let mut samples: Vec<Vec<u8>> =
        (0..).zip(replies).map(|(id, reply)| frame(&ServerMessage::Reply { id, reply })).collect();
    samples.push(frame(&ServerMessage::Moved(whereabouts.clone())));
    samples.push(samples.concat());
    samples.push(frame(&Welcome::Refused(Refusal::Version { from: 2, to: 3 })));
    samples.push(frame(&Welcome::Ready {
        version: PROTOCOL_VERSIONS.1,
        whereabouts,
        heartbeat_ms: 3000,
        grace_ms: 10_000,
        challenge: [9; 32],
        more: Vec::new(),
    }));
    samples
}

/// For `peer_hello`: frames as they come over the wire, and the content of such frames.
pub fn peer_hellos() -> Vec<Vec<u8>> {
    let hello = hello_frame(node_config(Role::Primary), |_| {});
    let proof = [&32_u32.to_be_bytes()[..], &[6; 32]].concat();
    vec![hello[4..].to_vec(), [hello.clone(), proof].concat(), hello, vec![6; 32]]
}

/// A leader of the judge's term.
fn leader(role: Role) -> Claim {
    Claim { term: TERM, node: role.number(), elected: true }
}

fn peer_messages() -> Vec<Forged> {
    let claim = leader(Role::Primary);
    let candidate = Claim { elected: false, ..leader(Role::Secondary) };
    let proposal = proposals().swap_remove(4).to_bytes();
    vec![
        Forged::Append {
            claim,
            behind: Some((2, 10)),
            entries: vec![((2, 11), None), ((3, 12), Some(proposal))],
            commit: Some((2, 10)),
        },
        Forged::Append { claim, behind: None, entries: vec![((0, 0), None)], commit: None },
        Forged::Vote { claim: candidate, last: Some((3, 12)), only_ask: false, leader_agrees: false },
        Forged::Vote { claim: candidate, last: None, only_ask: true, leader_agrees: true },
        Forged::Members { claim, behind: (2, 10), members: vec![1, 2, 3] },
        Forged::Snapshot {
            claim,
            last: Some((2, 9)),
            members: vec![1, 2, 3],
            state: State::new().to_bytes(),
        },
        Forged::Transfer { claim, to: 2 },
        Forged::Survey { role: Role::Tertiary, clock: NOON.0, version: "1.0".to_owned(), readmitted: 2 },
        Forged::Found([4; 16]),
    ]
}

/// What was sent on the authenticated stream.
pub fn conversation() -> &'static [Bytes] {
    static CONVERSATION: OnceLock<Vec<Bytes>> = OnceLock::new();
    CONVERSATION.get_or_init(|| {
        (0..).zip(peer_messages()).map(|(id, message)| Bytes::from(message.to_bytes(id))).collect()
    })
}

/// For `peer_frame`: requests, and an authenticated stream of them.
pub fn peer_frames() -> Vec<Vec<u8>> {
    let mut samples: Vec<Vec<u8>> = conversation().iter().map(|content| content.to_vec()).collect();
    samples.push(wire::write_frames(&samples, Some(FRAME_KEY)));
    samples
}

/// For `store_record`: whole records, bodies of records, proposals.
pub fn store_records() -> Vec<Vec<u8>> {
    let proposals: Vec<Vec<u8>> = proposals().iter().map(Proposal::to_bytes).collect();
    let mut samples: Vec<Vec<u8>> = StoreRecord::ALL.into_iter().map(StoreRecord::sample).collect();
    samples.push(wire::record_of(&proposals[1..6]));
    let bodies: Vec<Vec<u8>> = samples.iter().map(|record| record[5..].to_vec()).collect();
    samples.extend(bodies);
    samples.extend(proposals);
    samples
}

/// For `snapshot`: states, files, and files without their checksum.
pub fn snapshots() -> Vec<Vec<u8>> {
    let states = [State::new().to_bytes(), state().to_bytes()];
    let files = states.clone().map(|state| wire::sample_snapshot_file(&state));
    let bodies = files.clone().map(|file| file[..file.len() - 4].to_vec());
    [states, files, bodies].concat()
}

/// For `license_file`.
pub fn license_files() -> Vec<Vec<u8>> {
    let node_locked = "FEATURE viewer acme 1.0 permanent uncounted HOSTID=ANY SIGN=0\nVENDOR acme\n";
    // Lines of RLM license files are known, whether they can be served or not.
    let rlm = "HOST localhost ANY 5053\nISV acme\nLICENSE acme solver 2.0 permanent 5 sig=\"60P\"\n";
    let lines: Vec<&str> = LICENSE.lines().collect();
    let short = format!("SERVER alpha ANY 27000\nVENDOR acme\n{}\n", lines[6]);
    [LICENSE, node_locked, rlm, &short].map(|text| text.as_bytes().to_vec()).into()
}

/// Bytes of a value, for tests that send them in frames of their own.
pub fn content<T: Serialize>(message: &T) -> Vec<u8> {
    codec::to_bytes(message)
}
