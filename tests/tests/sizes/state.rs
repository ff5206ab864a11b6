//! What one state may hold, to the last and one beyond.

use licensing_core::command::{Command, Identity, Install, MAX_PART_BYTES, Proposal};
use licensing_core::digest::Digest;
use licensing_core::id::{LogIndex, SessionId, Timestamp, Token};
use licensing_core::installing::staging::MAX_STAGED_BYTES;
use licensing_core::invariants;
use licensing_core::outcome::{Denial, Outcome};
use licensing_core::session::MAX_SESSIONS;
use licensing_core::state::State;

/// A state and its next entry.
#[derive(Default)]
struct Run {
    state: State,
    index: u64,
}

impl Run {
    fn apply(&mut self, command: Command) -> Outcome {
        self.index += 1;
        let proposal = Proposal { at: Timestamp(1 << 40), command };
        self.state.apply(LogIndex(self.index), &proposal).answer.outcome
    }

    fn open(&mut self, number: usize) -> Outcome {
        let token = token(number);
        self.apply(Command::OpenSession { token, identity: Identity::new("ada", "desk"), address: None })
    }

    /// The state keeps its invariants, and a snapshot of it is the same state.
    fn check(&self) -> usize {
        invariants::check(&self.state).expect("an invariant");
        let bytes = self.state.to_bytes();
        let again = State::from_bytes(&bytes).expect("a snapshot can be read");
        assert_eq!(again.digest(), self.state.digest());
        bytes.len()
    }
}

fn token(number: usize) -> Token {
    let mut token = Token([0; 16]);
    token.0[..8].copy_from_slice(&(number as u64).to_le_bytes());
    token
}

#[test]
fn as_many_sessions_as_there_may_be_are_opened_and_the_next_is_told_how_many() {
    let mut run = Run::default();
    for number in 0..MAX_SESSIONS {
        let opened = run.open(number);
        assert!(matches!(opened, Outcome::SessionOpened { .. }), "session {number}: {opened:?}");
    }
    let full = Outcome::Denied(Denial::TooManySessions { limit: MAX_SESSIONS as u32 });
    assert_eq!(run.open(MAX_SESSIONS), full);
    // Whoever asks again for a session that is open gets it: it takes no place.
    assert!(matches!(run.open(7), Outcome::SessionOpened { session } if session == SessionId(8)));
    eprintln!("{MAX_SESSIONS} sessions: a snapshot of {} bytes", run.check());
    run.apply(Command::CloseSession { session: SessionId(1), token: token(0) });
    assert!(matches!(run.open(MAX_SESSIONS), Outcome::SessionOpened { .. }));
    assert_eq!(run.open(MAX_SESSIONS + 1), full);
}

#[test]
fn a_license_takes_as_many_bytes_on_its_way_as_it_may_and_not_one_more() {
    let mut run = Run::default();
    let digest = Digest([9; 32]);
    let stage = |run: &mut Run, part: usize, bytes: usize| {
        run.apply(Command::Stage { digest, part: part as u32, bytes: vec![part as u8; bytes] })
    };
    let parts = MAX_STAGED_BYTES / MAX_PART_BYTES;
    let denied = stage(&mut run, 0, MAX_PART_BYTES + 1);
    let Outcome::Denied(Denial::InvalidParameter { what }) = &denied else { panic!("{denied:?}") };
    assert!(what.contains("262145") && what.contains("262144"), "{what}");
    for part in 0..parts {
        assert_eq!(stage(&mut run, part, MAX_PART_BYTES), Outcome::Staged { parts: part as u32 + 1 });
    }
    eprintln!("{parts} parts: a snapshot of {} bytes", run.check());
    let denied = stage(&mut run, parts, 1);
    let Outcome::Denied(Denial::InvalidParameter { what }) = &denied else { panic!("{denied:?}") };
    assert!(what.contains("67108864"), "{what}");
    // What is there is no license: its end says so, and the next may come.
    let ended = run.apply(Command::Install(Install::Staged { digest }));
    assert_eq!(ended, Outcome::Denied(Denial::PartsMissing { parts: parts as u32 }));
    assert_eq!(stage(&mut run, 0, MAX_PART_BYTES), Outcome::Staged { parts: 1 });
}
