//! Puts a small service of its own to the test: `cargo run --release -p licensing-tests --example count_seats`.
//! One server lends ten seats and writes every change down at once. It believes that a question comes once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use licensing_core::id::{Handle, LogIndex, Role, Seats};
use licensing_tests::history::{Kind, Told};
use licensing_tests::simulation::{Client, End, Host, Options, Service, Site, run};

struct Counter;

#[derive(Default)]
struct Book(u64, BTreeMap<Handle, Seats>);

#[derive(Clone)]
struct Desk(Arc<Site<Counter>>, u32);

impl Service for Counter {
    type Server = Arc<Mutex<Book>>;
    type Client = Desk;
    fn licensed(&self) -> BTreeMap<String, Seats> {
        BTreeMap::from([("seat".to_owned(), Seats(10))])
    }
    async fn start(&self, host: &Host) -> Result<Arc<Mutex<Book>>, String> {
        Ok(host.keep())
    }
    async fn client(&self, site: &Arc<Site<Counter>>, number: u32) -> Option<Desk> {
        Some(Desk(site.clone(), number))
    }
    fn is_witnessed(&self) -> bool {
        false
    }
}

impl Client for Desk {
    async fn ask(&mut self, kind: &Kind) -> Told {
        loop {
            // No answer: ask again, as everybody does. The bug is that the server cannot know it.
            let (site, kind) = (self.0.clone(), kind.clone());
            let question = || std::future::ready(site.awake(Role::Primary).map(|book| decide(&book, &kind)));
            if let Some(told) = self.0.network.call(End::Client(self.1), Role::Primary, question).await {
                return told;
            }
        }
    }
}

fn decide(book: &Mutex<Book>, kind: &Kind) -> Told {
    let Book(index, held) = &mut *book.lock().unwrap();
    *index += 1;
    let (index, in_use) = (LogIndex(*index), Seats(held.values().map(|seats| seats.0).sum()));
    match kind {
        Kind::Checkout { seats, .. } if in_use.0 + seats.0 > 10 => Told::NoFreeSeats { index, in_use },
        Kind::Checkout { seats, .. } => {
            held.insert(Handle(index.0), *seats);
            Told::Granted { index, handle: Handle(index.0), with_data: None }
        }
        Kind::Checkin { handle } if held.remove(handle).is_some() => Told::Returned { index },
        _ => Told::UnknownHandle { index },
    }
}

pub(crate) fn main() {
    let bad =
        (1..=20).map(|seed| (seed, run(Counter, &Options::of(seed)))).find(|(_, r)| !r.violations.is_empty());
    let (seed, report) = bad.expect("a bug was planted");
    eprintln!("seed {seed}, trace {}: {}", report.trace, report.violations[0]);
    eprintln!("replay: run(Counter, &Options::of({seed}))");
}
