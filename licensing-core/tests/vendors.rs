//! Several vendors in one state: what is asked of all of them, and what happens to one while another one's license is installed.

use std::sync::Arc;

use licensing_core::encode::compiled;
use licensing_core::*;

fn license(vendor: &str, feature: &str, seats: u32) -> Compiled {
    let text = format!(
        "SERVER alpha ANY 27000\nVENDOR {vendor}\nFEATURE {feature} {vendor} 1.0 permanent {seats} SIGN=0\n"
    );
    Compiled::from_text("a.lic", &text).unwrap()
}

struct Run {
    state: State,
    requests: u64,
}

impl Run {
    /// Vendors `acme` and `zeta`, each with one seat of `cad`, and session 4.
    fn new() -> Run {
        let mut run = Run { state: State::new(), requests: 0 };
        run.ask(Command::RaiseEdition { to: Edition::NEWEST });
        run.ask(Command::Install(license("acme", "cad", 1).into()));
        run.ask(Command::Install(license("zeta", "cad", 1).into()));
        let text = String::new;
        let identity = Identity { user: text(), host: text(), display: text(), pid: 1, project: text() };
        run.ask(Command::OpenSession { token: Token([7; 16]), identity, address: None });
        run
    }

    fn ask(&mut self, command: Command) -> Outcome {
        let index = LogIndex(self.state.last_index().0 + 1);
        apply(&mut self.state, index, &Proposal { at: Timestamp(0), command }).answer.outcome
    }

    fn call(&mut self, action: Action) -> Outcome {
        self.requests += 1;
        let (request, acknowledged) = (RequestId(self.requests), RequestId(self.requests - 1));
        let (session, token) = (SessionId(4), Token([7; 16]));
        self.ask(Command::Call(Call { session, token, request, acknowledged, action }))
    }

    fn take(&mut self, vendor: Option<&str>) -> Outcome {
        let (vendor, feature, version) = (vendor.map(str::to_owned), "cad".to_owned(), "1".to_owned());
        self.call(Action::Checkout { vendor, feature, version, seats: Seats(1) })
    }
}

#[test]
fn whoever_names_no_vendor_gets_a_seat_of_the_first_that_has_one() {
    let mut run = Run::new();
    for _ in 0..2 {
        assert!(matches!(run.take(None), Outcome::Granted { .. }));
    }
    let vendors: Vec<&str> = run.state.checkouts().map(|checkout| checkout.vendor).collect();
    assert_eq!(vendors, ["acme", "zeta"]);
    assert!(matches!(run.take(None), Outcome::Denied(Denial::NoFreeSeats { .. })));
}

/// Worked out while `zeta` had a seat out, put in place when it has none, and the other way round.
#[test]
fn seats_of_others_that_moved_while_an_install_was_worked_out_stay_counted() {
    for takes_first in [true, false] {
        let mut run = Run::new();
        let handle = match takes_first.then(|| run.take(Some("zeta"))) {
            Some(Outcome::Granted { handle, .. }) => Some(handle),
            _ => None,
        };
        let new = Arc::new(license("acme", "cad", 5));
        let bytes = compiled::to_bytes(&new);
        let digest = Digest::of(&bytes);
        run.ask(Command::Stage { digest, part: 0, bytes });
        let prepared = run.state.prepare(new, digest).unwrap();
        match handle {
            Some(handle) => run.call(Action::Checkin { handle, owner: None }),
            None => run.take(Some("zeta")),
        };
        let mut plain = run.state.clone();
        run.state.keep(prepared);
        let index = LogIndex(plain.last_index().0 + 1);
        let install = Proposal { at: Timestamp(0), command: Command::Install(Install::Staged { digest }) };
        assert_eq!(apply(&mut plain, index, &install), apply(&mut run.state, index, &install));
        invariants::check(&run.state).unwrap();
        assert_eq!(plain.to_bytes(), run.state.to_bytes(), "takes first: {takes_first}");
    }
}

#[test]
fn a_held_edition_is_held_after_a_snapshot() {
    let mut run = Run::new();
    run.ask(Command::HoldEdition { on: true });
    let back = State::from_bytes(&run.state.to_bytes()).unwrap();
    assert!(back.edition_held());
    assert_eq!(back.digest(), run.state.digest());
}
