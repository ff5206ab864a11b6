//! What must hold of any bytes that come from a client, a peer, a server, a disk or an administrator.
//!
//! Every target panics when it does not hold, and says whether the input was taken for something valid: a run in which
//! nothing ever is has tested the refusals only.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use licensing_client::framing::{FrameError, FrameReader, decode_frame, encode_frame};
use licensing_client::protocol::{ClientMessage, Hello, MAX_FRAME_BYTES, ServerMessage, Welcome};
use licensing_core::command::{Command, Proposal};
use licensing_core::id::{LogIndex, Role};
use licensing_core::invariants;
use licensing_core::license::{Compiled, License, MAX_ERRORS, MAX_WARNINGS};
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use licensing_raft::PeerKey;
use licensing_raft::testing::wire::{self, Believed, PeerWord, StoreRecord};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::hostile::samples;

/// A kind of input.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, also of its fuzz target and its corpus.
    pub name: &'static str,
    /// Asserts what must hold; says whether anything in the input was valid.
    pub check: fn(&[u8]) -> bool,
    /// Valid inputs.
    pub samples: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const ALL: [Target; 7] = [
    Target { name: "client_frame", check: client_frame, samples: samples::client_frames },
    Target { name: "server_frame", check: server_frame, samples: samples::server_frames },
    Target { name: "peer_hello", check: peer_hello, samples: samples::peer_hellos },
    Target { name: "peer_frame", check: peer_frame, samples: samples::peer_frames },
    Target { name: "store_record", check: store_record, samples: samples::store_records },
    Target { name: "snapshot", check: snapshot, samples: samples::snapshots },
    Target { name: "license_file", check: license_file, samples: samples::license_files },
];

/// A target by its name.
pub fn named(name: &str) -> Target {
    ALL.into_iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target is called {name}"))
}

/// What a client sends: its hello, and its requests.
pub fn client_frame(bytes: &[u8]) -> bool {
    let hellos = client_stream::<Hello>(bytes, "hello");
    hellos | client_stream::<ClientMessage>(bytes, "request")
}

/// What a server sends to a client.
pub fn server_frame(bytes: &[u8]) -> bool {
    let welcomes = client_stream::<Welcome>(bytes, "welcome");
    welcomes | client_stream::<ServerMessage>(bytes, "server message")
}

/// No frame above the limit is waited for, none is skipped, and a message that can be read reads the same again.
fn client_stream<T>(bytes: &[u8], what: &'static str) -> bool
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let mut reader = FrameReader::new(bytes);
    let mut rest = bytes;
    let mut taken = false;
    loop {
        let announced = rest.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize);
        let content = announced.and_then(|length| rest.get(4..length.checked_add(4)?));
        match at_once(reader.next::<T>(what)) {
            Ok(Some(message)) => {
                let content = content.expect("a message comes from a whole frame");
                assert!(content.len() <= MAX_FRAME_BYTES);
                let again = encode_frame(&message).expect("what came in a frame fits into one");
                assert!(again.len() - 4 <= content.len(), "the codec writes the shortest form");
                assert_eq!(decode_frame::<T>(&again[4..], what).ok().as_ref(), Some(&message));
                rest = &rest[4 + content.len()..];
                taken = true;
            }
            Ok(None) => {
                // A length with nothing behind it goes for the end as well: no message is lost by that.
                assert!(matches!(rest.len(), 0 | 4), "{} bytes are passed over in silence", rest.len());
                return taken;
            }
            Err(FrameError::TooLong { limit }) => {
                assert!(announced.is_some_and(|length| length > limit && limit == MAX_FRAME_BYTES));
                return taken;
            }
            Err(FrameError::Malformed(problem)) => {
                assert!(content.is_some() && problem.to_string().contains(what), "{problem}");
                return taken;
            }
            Err(FrameError::Io(_)) => {
                assert!(content.is_none(), "a whole frame was taken for one that is cut off");
                return taken;
            }
            Err(other) => panic!("reading a stream ended with: {other}"),
        }
    }
}

/// The hello of a peer: nobody without the key is taken for a peer, and no frame may be longer than a hello.
pub fn peer_hello(bytes: &[u8]) -> bool {
    let taken = [PeerWord::Hello, PeerWord::Welcome, PeerWord::Proof].map(|word| reread(word, bytes));
    let config = samples::node_config(Role::Secondary);
    let key = PeerKey::parse(&"5a".repeat(32)).expect("a key");
    assert!(!wire::accepts(bytes.to_vec(), config, key), "a stranger was taken for a peer");
    let (frames, _) = wire::read_frames(bytes, None, true);
    let greeted = frames.first().is_some_and(|content| reread(PeerWord::Hello, content));
    assert!(frames.iter().all(|frame| frame.len() <= 16 << 10), "a frame longer than any hello");
    greeted || taken.contains(&true)
}

/// A frame of a proven peer: what is believed is what an honest peer could say; and of an authenticated stream exactly
/// what was sent is read, in its order, up to where it was tampered with.
pub fn peer_frame(bytes: &[u8]) -> bool {
    let taken = [PeerWord::Request, PeerWord::Reply].map(|word| reread(word, bytes));
    for peer in [Role::Primary, Role::Secondary, Role::Tertiary] {
        if let Ok(Some(believed)) = wire::believe(bytes, peer, samples::TERM) {
            assert_credible(&believed, peer);
        }
    }
    let (read, _) = wire::read_frames(bytes, Some(samples::FRAME_KEY), false);
    assert!(read.iter().eq(samples::conversation().iter().take(read.len())), "a forged frame was read");
    taken.contains(&true) || !read.is_empty()
}

fn reread(word: PeerWord, content: &[u8]) -> bool {
    let Ok(again) = word.reread(content) else { return false };
    assert!(again.len() <= content.len(), "the codec writes the shortest form");
    assert_eq!(word.reread(&again).as_ref(), Ok(&again), "{word:?} reads otherwise the second time");
    true
}

/// The rules of `licensing-raft/src/peer/checks.rs`, stated once more in other words.
fn assert_credible(believed: &Believed, peer: Role) {
    assert_eq!(believed.node, peer.number(), "the {peer} spoke for another: {believed:?}");
    assert!(believed.term - believed.term.min(samples::TERM) <= 1 << 32, "an absurd term: {believed:?}");
    assert!(
        believed.for_leaders.is_none_or(|leads| leads == believed.elected),
        "a candidate leads, or a leader campaigns: {believed:?}"
    );
    let first_expected = if believed.has_previous { None } else { Some(0) };
    let first = believed.entries.first().map(|(_, index)| *index);
    assert!(first_expected.is_none() || first.is_none() || first == first_expected, "{believed:?}");
    for pair in believed.entries.windows(2) {
        assert!(pair[0].1.checked_add(1) == Some(pair[1].1), "a gap: {believed:?}");
        assert!(pair[0].0 <= pair[1].0, "terms fall: {believed:?}");
    }
    let highest = believed.entries.iter().map(|(term, _)| *term).chain(believed.commit_term).max();
    assert!(highest.is_none_or(|term| term <= believed.term), "from the future: {believed:?}");
    assert!(believed.members.iter().all(|members| *members == [1, 2, 3]), "other members: {believed:?}");
}

/// A record of the store, as it is and with the right checksum in front; what is in its entries is applied.
pub fn store_record(bytes: &[u8]) -> bool {
    let sealed = wire::seal_record(bytes);
    let mut taken = false;
    for record in [bytes, &sealed] {
        for kind in StoreRecord::ALL {
            let Ok(again) = kind.reread(record) else { continue };
            assert_eq!(kind.reread(&again).as_ref(), Ok(&again), "{kind:?} reads otherwise the second time");
            let mut torn = record.to_vec();
            let middle = torn.len() / 2;
            torn[middle] ^= 0x10;
            assert!(kind.reread(&torn).is_err(), "a flipped bit in a {kind:?} went unseen");
            taken = true;
        }
        for proposal in wire::proposals(record) {
            proposal_bytes(&proposal);
        }
    }
    proposal_bytes(bytes) | taken
}

/// No proposal that can be read makes a state contradict itself.
fn proposal_bytes(bytes: &[u8]) -> bool {
    let Ok(proposal) = Proposal::from_bytes(bytes) else { return false };
    assert_eq!(Proposal::from_bytes(&proposal.to_bytes()).as_ref(), Ok(&proposal));
    let mut state = samples::state().clone();
    let index = LogIndex(state.last_index().0 + 1);
    let applied = state.apply(index, &proposal);
    assert_sound(&state);
    let again = state.apply(LogIndex(index.0 + 1), &proposal);
    assert_sound(&state);
    if matches!(proposal.command, Command::OpenSession { .. }) {
        assert_eq!(again.answer.outcome, applied.answer.outcome, "a resent request was decided again");
    }
    true
}

fn assert_sound(state: &State) {
    invariants::check(state).unwrap_or_else(|violation| panic!("{violation}"));
}

/// A snapshot: the bytes of a state, or the file they are kept in. What is not refused keeps all invariants.
pub fn snapshot(bytes: &[u8]) -> bool {
    let mut taken = state_bytes(bytes);
    for file in [bytes.to_vec(), wire::seal_snapshot_file(bytes)] {
        let Ok((state, again)) = wire::reread_snapshot_file(&file) else { continue };
        let (same, third) = wire::reread_snapshot_file(&again).expect("what was written can be read");
        assert_eq!((&same, &third), (&state, &again), "a snapshot file reads otherwise the second time");
        state_bytes(&state);
        taken = true;
    }
    taken
}

fn state_bytes(bytes: &[u8]) -> bool {
    let Ok(mut state) = State::from_bytes(bytes) else { return false };
    assert_sound(&state);
    let canonical = state.to_bytes();
    let again = State::from_bytes(&canonical).expect("what was written can be read");
    assert_eq!(again, state);
    assert_eq!(again.digest(), state.digest(), "equal states have equal bytes");
    // It goes on working, unless its numbers are used up.
    let sessions = state.sessions().collect();
    if let Some(next) = state.last_index().0.checked_add(1) {
        let command = Command::Expire { sessions, judged_at: state.last_index() };
        state.apply(LogIndex(next), &Proposal { at: state.clock(), command });
        assert_sound(&state);
    }
    true
}

/// A license file: errors and warnings name places that the text has, and what is read can be served.
pub fn license_file(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let parsed = License::parse(&text);
    let places: Vec<(u32, u32)> = match &parsed {
        Ok(license) => license.warnings.iter().map(|warning| (warning.line, warning.column)).collect(),
        Err(errors) => {
            assert!((1..=MAX_ERRORS).contains(&errors.0.len()), "{} errors", errors.0.len());
            assert_eq!(errors.to_string().lines().count(), errors.0.len(), "one error, one line");
            errors.0.iter().map(|error| (error.line, error.column)).collect()
        }
    };
    assert!(places.is_sorted() && places.len() <= MAX_WARNINGS);
    let lines: Vec<&str> = text.split('\n').collect();
    for (line, column) in places {
        let line = lines.get((line as usize).wrapping_sub(1)).expect("a line that the text has");
        // One past the end is where a missing word belongs.
        let columns = 1..=line.chars().count() + 1;
        assert!(columns.contains(&(column as usize)), "column {column} of `{}`", line.escape_debug());
    }
    if let Ok(license) = &parsed {
        served(&text, license);
    }
    parsed.is_ok()
}

/// A license that could be read is installed, and survives in a snapshot.
fn served(text: &str, license: &License) {
    static EMPTY: OnceLock<State> = OnceLock::new();
    let mut state = EMPTY.get_or_init(State::new).clone();
    let command = Command::Install(Compiled::new(license.clone(), "fuzz.lic", text).into());
    let outcome = state.apply(LogIndex(1), &Proposal { at: samples::NOON, command }).answer.outcome;
    assert_sound(&state);
    match outcome {
        Outcome::Installed { pools } => assert!(pools as usize <= license.features.len()),
        // The rules may ask for more than the grammar.
        Outcome::Denied(_) => return,
        other => panic!("an installation was answered with {other:?}"),
    }
    assert_eq!(State::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    let names: BTreeSet<&str> = license.features.iter().map(|feature| feature.name.as_str()).collect();
    assert!(state.pools().all(|pool| names.contains(pool.feature)), "a pool that no line names");
}

/// Runs what never has to wait, because it reads from memory.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("memory is always ready"),
    }
}
