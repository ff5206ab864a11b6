//! A state to work on, filled as a log would fill it.

use licensing_core::command::{Action, Call, Command, Identity, Proposal};
use licensing_core::id::{Handle, LogIndex, RequestId, Seats, SessionId, Timestamp, Token};
use licensing_core::license::Compiled;
use licensing_core::outcome::Outcome;
use licensing_core::state::State;

/// Sessions the checkouts of a [`Site`] are spread over.
const SESSIONS: u64 = 1000;

/// One token is one session, so each has its own.
fn token(session: u64) -> Token {
    let mut token = [7; 16];
    token[..8].copy_from_slice(&session.to_le_bytes());
    Token(token)
}

/// A call of a session that has acknowledged all answers before it.
pub(crate) fn call(session: SessionId, request: u64, action: Action) -> Call {
    let request = RequestId(request);
    Call { session, token: token(0), request, acknowledged: RequestId(request.0 - 1), action }
}

/// One seat of `f1`.
pub(crate) fn checkout() -> Action {
    Action::Checkout { vendor: None, feature: "f1".to_owned(), version: "1.0".to_owned(), seats: Seats(1) }
}

/// A checkout of one seat of `f1`, as it stands in the log.
pub(crate) fn checkout_proposal(request: u64) -> Proposal {
    proposal(Command::Call(call(SessionId(7), request, checkout())))
}

fn proposal(command: Command) -> Proposal {
    Proposal { at: Timestamp(1_800_000_000_000), command }
}

/// A state with a license, sessions, and checkouts.
pub(crate) struct Site {
    pub(crate) state: State,
    sessions: Vec<SessionId>,
    /// Requests made of each session.
    requests: u64,
    index: u64,
}

impl Site {
    /// With so many live checkouts.
    pub(crate) fn with_checkouts(count: u64) -> Site {
        let mut site = Site { state: State::new(), sessions: Vec::new(), requests: 0, index: 0 };
        let license = "SERVER a ANY 27001\nSERVER b ANY 27002\nSERVER c ANY 27003\nVENDOR demo\n\
                       FEATURE f1 demo 1.0 permanent 1000000 SIGN=0\n";
        site.apply(Command::Install(Compiled::from_text("site.lic", license).unwrap().into()));
        for number in 0..SESSIONS {
            let identity = Identity {
                user: format!("user-{number}"),
                host: format!("host-{number}"),
                display: "/dev/tty".to_owned(),
                pid: 4711,
                project: String::new(),
            };
            match site.apply(Command::OpenSession { token: token(number), identity, address: None }) {
                Outcome::SessionOpened { session } => site.sessions.push(session),
                other => panic!("no session: {other:?}"),
            }
        }
        for number in 0..count {
            if number % SESSIONS == 0 {
                site.requests += 1;
            }
            let session = (number % SESSIONS) as usize;
            site.granted(session);
        }
        site
    }

    /// What stands in the log next: in turn a checkout and its checkin, by one session after the other. Each with its place.
    pub(crate) fn entries_to_come(&self, count: u64) -> Vec<(LogIndex, Vec<u8>)> {
        let entry = |number: u64| {
            let index = self.index + 1 + number;
            let (pair, is_checkin) = (number / 2, number % 2 == 1);
            let session = pair % SESSIONS;
            let request = self.requests + 1 + pair / SESSIONS * 2 + u64::from(is_checkin);
            // A checkout is named after its place in the log.
            let action = if is_checkin {
                Action::Checkin { handle: Handle(index - 1), owner: None }
            } else {
                checkout()
            };
            let call =
                Call { token: token(session), ..call(self.sessions[session as usize], request, action) };
            (LogIndex(index), proposal(Command::Call(call)).to_bytes())
        };
        (0..count).map(entry).collect()
    }

    /// One checkout and its checkin, by the first session.
    pub(crate) fn checkout_and_checkin(&mut self) {
        self.requests += 1;
        let handle = self.granted(0);
        self.requests += 1;
        let outcome = self.call(0, Action::Checkin { handle, owner: None });
        assert!(matches!(outcome, Outcome::Returned { .. }), "{outcome:?}");
    }

    fn granted(&mut self, session: usize) -> Handle {
        match self.call(session, checkout()) {
            Outcome::Granted { handle, .. } => handle,
            other => panic!("no seat: {other:?}"),
        }
    }

    fn call(&mut self, session: usize, action: Action) -> Outcome {
        let asked = call(self.sessions[session], self.requests, action);
        self.apply(Command::Call(Call { token: token(session as u64), ..asked }))
    }

    fn apply(&mut self, command: Command) -> Outcome {
        self.index += 1;
        self.state.apply(LogIndex(self.index), &proposal(command)).answer.outcome
    }
}
