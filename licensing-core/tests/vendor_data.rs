//! Vendor data at its limits, which no table reaches.

use licensing_core::vendor_data::{MAX_DATA_BYTES, MAX_DATA_BYTES_IN_ALL};
use licensing_core::*;

struct Run {
    state: State,
    requests: u64,
}

impl Run {
    fn new() -> Run {
        let mut run = Run { state: State::new(), requests: 0 };
        let text = "SERVER alpha ANY 27000\nVENDOR acme\nFEATURE cad acme 1.0 permanent 100000 SIGN=0\n";
        run.ask(Command::RaiseEdition { to: Edition::NEWEST });
        run.ask(Command::Install(Compiled::from_text("a.lic", text).unwrap().into()));
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
        let (session, token) = (SessionId(3), Token([7; 16]));
        self.ask(Command::Call(Call { session, token, request, acknowledged, action }))
    }

    fn take(&mut self, length: usize) -> Outcome {
        let (feature, version) = ("cad".to_owned(), "1".to_owned());
        self.call(Action::checkout(None, feature, version, Seats(1), vec![7; length]))
    }

    fn set(&mut self, handle: Option<Handle>, length: usize) -> Outcome {
        self.call(Action::SetVendorData { handle, data: vec![8; length] })
    }
}

#[test]
fn all_sessions_and_checkouts_together_keep_so_much_and_what_goes_makes_room() {
    let mut run = Run::new();
    let full = Outcome::Denied(Denial::VendorDataFull { limit: MAX_DATA_BYTES_IN_ALL });
    let mut first = None;
    for _ in 0..MAX_DATA_BYTES_IN_ALL / MAX_DATA_BYTES as u64 {
        let Outcome::Granted { handle, .. } = run.take(MAX_DATA_BYTES) else { panic!("there is room") };
        first = first.or(Some(handle));
    }
    let out = run.state.checkout_count();
    assert_eq!(run.take(1), full);
    assert_eq!(run.set(None, 1), full);
    assert_eq!(run.state.checkout_count(), out, "a denied checkout took nothing");
    assert!(matches!(run.take(0), Outcome::Granted { .. }), "seats without data are not concerned");
    assert!(
        matches!(run.set(first, MAX_DATA_BYTES), Outcome::VendorDataSet { .. }),
        "other data of the same length fits"
    );
    assert!(matches!(run.set(first, MAX_DATA_BYTES - 1), Outcome::VendorDataSet { .. }));
    assert!(matches!(run.set(None, 1), Outcome::VendorDataSet { .. }));
    assert_eq!(run.set(None, 2), full);
    invariants::check(&run.state).unwrap();
    assert_eq!(State::from_bytes(&run.state.to_bytes()).as_ref(), Ok(&run.state));
}

#[test]
fn a_key_is_printable_and_has_1_to_256_bytes() {
    let mut run = Run::new();
    let mut set = |key: &str| {
        run.ask(Command::SetTriadData { key: key.to_owned(), value: Some(vec![1]), believed: None })
    };
    for key in ["k", "ключ", "with blanks", &"k".repeat(256)] {
        assert!(matches!(set(key), Outcome::VendorDataSet { set_at: Some(_) }), "{key}");
    }
    for key in ["", "a\nb", "\u{7f}", &"k".repeat(257)] {
        assert!(matches!(set(key), Outcome::Denied(Denial::InvalidParameter { .. })), "{key}");
    }
}

#[test]
fn an_extra_that_is_said_twice_is_refused() {
    let mut run = Run::new();
    let extras = vec![Extra::VendorData(vec![1]), Extra::VendorData(vec![2])];
    let (feature, version) = ("cad".to_owned(), "1".to_owned());
    let twice = Action::CheckoutWith { vendor: None, feature, version, seats: Seats(1), extras };
    assert!(matches!(run.call(twice), Outcome::Denied(Denial::InvalidParameter { .. })));
    assert_eq!(run.state.checkout_count(), 0);
}
