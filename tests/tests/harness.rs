//! What the harness says of a service that hangs, spins or panics: a violation with its seed, who waits for what, and an end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use licensing_core::id::{LogIndex, Role, Seats};
use licensing_tests::history::{Kind, Told};
use licensing_tests::simulation::{Client, Host, Options, Report, Service, Site, claim, run};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing; it has no seats and says so.
    None,
    /// It never answers one of its clients.
    Waits,
    /// It keeps its thread.
    Blocks,
    /// It panics at every request.
    Panics,
}

struct Sick(Fault);

#[derive(Clone)]
struct Patient(Fault, u32);

impl Service for Sick {
    type Server = ();
    type Client = Patient;

    fn roles(&self) -> &'static [Role] {
        &Role::ALL[..1]
    }

    fn licensed(&self) -> BTreeMap<String, Seats> {
        BTreeMap::from([("seat".to_owned(), Seats(0))])
    }

    async fn start(&self, _: &Host) -> Result<(), String> {
        Ok(())
    }

    async fn client(&self, _: &Arc<Site<Sick>>, number: u32) -> Option<Patient> {
        Some(Patient(self.0, number))
    }

    fn is_witnessed(&self) -> bool {
        false
    }
}

impl Client for Patient {
    async fn ask(&mut self, _: &Kind) -> Told {
        match self.0 {
            Fault::Waits if self.1 == 2 => std::future::pending().await,
            // Asleep, so that the thread that is left behind takes nothing from other tests.
            Fault::Blocks => loop {
                std::thread::park();
            },
            Fault::Panics => {
                tokio::spawn(async { panic!("at every request") }).await.unwrap_or_else(|_| gone())
            }
            _ => Told::NoSeats { index: LogIndex(0) },
        }
    }
}

fn gone() -> Told {
    Told::NotDone { why: "it panicked".to_owned() }
}

fn played(fault: Fault) -> Report {
    let stands_still = Duration::from_secs(2);
    run(
        Sick(fault),
        &Options { duration: Duration::from_secs(5), clients: 3, stands_still, ..Options::of(9) },
    )
}

#[test]
fn one_that_is_well_is_good() {
    let report = played(Fault::None);
    assert!(report.is_good(), "{report}");
}

#[test]
fn who_waits_for_ever_is_named_with_what_it_asked() {
    let report = played(Fault::Waits);
    let told = report.to_string();
    let ends: Vec<_> = report.violations.iter().filter(|violation| violation.claim == claim::ENDS).collect();
    assert_eq!(ends.len(), 1, "{told}");
    assert!(ends[0].detail.starts_with("client 2 did not end"), "{told}");
    assert!(ends[0].detail.contains(": client 2 waits since "), "{told}");
    assert!(ends[0].detail.contains("for the answer to Checkout"), "{told}");
}

#[test]
fn a_run_that_does_not_advance_is_given_up() {
    let report = played(Fault::Blocks);
    let told = report.to_string();
    assert_eq!(report.violations.last().map(|violation| violation.claim), Some(claim::ADVANCES), "{told}");
    assert!(told.starts_with("seed 9, 3 clients"), "{told}");
    assert!(!report.history.operations.is_empty(), "what was asked until then is there");
}

#[test]
fn panics_are_told_a_few_times_and_counted() {
    let report = played(Fault::Panics);
    let panics: Vec<&str> = report
        .violations
        .iter()
        .filter(|violation| violation.claim == claim::NO_PANIC)
        .map(|violation| violation.detail.as_str())
        .collect();
    let [first, .., last] = panics.as_slice() else { panic!("{report}") };
    assert!(first.contains("at every request") && first.contains("harness.rs"), "{first}");
    assert!(panics.len() == 4 && last.ends_with(" panics more"), "{panics:?}");
}
