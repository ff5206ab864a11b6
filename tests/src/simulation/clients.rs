//! The clients of a run: each checks seats out and in, one request after the other, and writes down what it was told.
//! Now and then one falls silent for ever, or ends its session, and another takes its place.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use licensing_core::id::{Handle, Seats};
use licensing_raft::watch::Watcher;

use super::faults::seen::{GAVE_UP, VANISHED};
use super::network::End;
use super::random::Stream;
use super::service::{Client, Service, Site};
use crate::history::{Kind, Told};

/// What clients do and hear, where there is more than seats ([`Service::asks_all`]).
pub(crate) mod seen {
    /// A client ended its session.
    pub(crate) const CLOSED: &str = "sessions closed";
    /// … and did not wait for the answer, or got none.
    pub(crate) const CLOSING_LEFT: &str = "sessions closed without an answer";
    /// A client did not wait for the answer to a checkin.
    pub(crate) const CHECKIN_LEFT: &str = "checkins not waited for";
    /// A client dropped seats that a guard gives back.
    pub(crate) const DROPPED: &str = "seats given back without waiting";
    /// A client asked how many seats are out.
    pub(crate) const COUNTED: &str = "counts told to clients";
    /// A client asked for more than there was at that time.
    pub(crate) const MORE_THAN_LICENSED: &str = "denials of more than is licensed";
    /// A client asked for what had not started.
    pub(crate) const NOT_STARTED: &str = "denials before the first day";
    /// A client asked for what was over.
    pub(crate) const EXPIRED: &str = "denials after the last day";
}

/// Numbers of the clients that take the place of one another are so far apart.
pub(super) const GENERATION: u32 = 1000;

/// Most checkouts a client holds.
const MOST_HELD: usize = 4;

/// One place at the site, where clients work one after the other until told to stop. The last one is given back, so that
/// what it holds stays held.
pub(crate) async fn work<S: Service>(site: Arc<Site<S>>, place: u32) -> Option<S::Client> {
    let mut stop = site.stop.subscribe();
    let mut number = place;
    while !*stop.borrow() {
        let mut worker = begin(&site, number, &mut stop).await?;
        if !worker.run(&mut stop).await {
            return Some(worker.client);
        }
        number += GENERATION;
    }
    None
}

async fn begin<S: Service>(site: &Arc<Site<S>>, number: u32, stop: &mut Watcher<bool>) -> Option<Worker<S>> {
    let opening = site.recorder.invoke(number, Kind::Open);
    let client = tokio::select! {
        biased;
        client = site.service.client(site, number) => client?,
        _ = stop.wait_for(|stop| *stop) => return None,
    };
    match client.session() {
        Some(session) => site.recorder.complete(opening, Told::Opened { session }),
        None => site.recorder.complete(opening, Told::NotDone { why: "there are no sessions".to_owned() }),
    }
    let random = site.random(&format!("client {number}"));
    let whims = site.random(&format!("whims of client {number}"));
    Some(Worker { site: site.clone(), number, client, random, whims, held: Vec::new() })
}

struct Worker<S: Service> {
    site: Arc<Site<S>>,
    number: u32,
    client: S::Client,
    random: Stream,
    /// For what only some services offer.
    whims: Stream,
    held: Vec<Handle>,
}

impl<S: Service> Worker<S> {
    /// Works until told to stop, which gives `false`, or until it vanishes or ends its session.
    async fn run(&mut self, stop: &mut Watcher<bool>) -> bool {
        let features = self.site.service.licensed();
        let features: Vec<&String> = features.keys().collect();
        loop {
            let pause = self.random.between_us(1_000, 120_000);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return false,
                () = tokio::time::sleep(pause) => {}
            }
            if let Some(grace) = self.site.least_grace()
                && self.random.below(400) == 0
            {
                self.vanish(grace);
                return true;
            }
            if self.site.service.asks_all() && self.whims.below(200) == 0 {
                let told = self.ask(Kind::Close).await;
                self.site.count(match told {
                    Told::Closed { .. } => seen::CLOSED,
                    _ => seen::CLOSING_LEFT,
                });
                return true;
            }
            // Mostly one thing at a time; some applications ask for many at once.
            let at_once = if self.random.chance(80) { 1 } else { 2 + self.random.below(3) };
            let kinds: Vec<Kind> = (0..at_once).map(|_| self.choose(&features)).collect();
            for told in join_all(kinds.into_iter().map(|kind| self.ask(kind))).await {
                if let Told::Granted { handle, .. } = told {
                    self.held.push(handle);
                }
            }
        }
    }

    fn choose(&mut self, features: &[&String]) -> Kind {
        let full = self.held.len() >= MOST_HELD;
        if !self.held.is_empty() && (full || self.random.chance(50)) {
            let place = self.random.below(self.held.len() as u64) as usize;
            let handle = self.held.swap_remove(place);
            return if self.client.is_guarded() {
                Kind::GiveBack { handle }
            } else {
                Kind::Checkin { handle }
            };
        }
        if !self.held.is_empty() && self.site.service.keeps_data() && self.random.below(10) == 0 {
            let place = self.random.below(self.held.len() as u64) as usize;
            return Kind::SetData { handle: self.held[place] };
        }
        let feature = features[self.random.below(features.len() as u64) as usize].clone();
        if self.site.service.asks_all() && self.whims.below(20) == 0 {
            return Kind::Count { feature };
        }
        Kind::Checkout { feature, seats: Seats(1 + self.random.below(2) as u32) }
    }

    async fn ask(&self, kind: Kind) -> Told {
        let asked = self.site.recorder.invoke(self.number, kind.clone());
        let mut client = self.client.clone();
        let answer = client.ask(&kind);
        let told = match self.patience(&kind) {
            // Never looked at: nothing may have been sent, and what is to be done all the same is done.
            Some(Duration::ZERO) => {
                drop(answer);
                Told::GivenUp
            }
            Some(patience) => tokio::time::timeout(patience, answer).await.unwrap_or(Told::GivenUp),
            None => answer.await,
        };
        self.note(&kind, &told);
        self.site.recorder.complete(asked, told.clone());
        told
    }

    /// How long it waits, unless for ever. An application may stop waiting at any moment: before anything was sent, on the way, with
    /// the answer at the door.
    fn patience(&self, kind: &Kind) -> Option<Duration> {
        let service = &self.site.service;
        match kind {
            Kind::Checkout { .. } if service.gives_back() && self.random.below(300) == 0 => {
                Some(self.random.between_us(0, 60_000))
            }
            Kind::Checkin { .. } if service.asks_all() && self.whims.below(100) == 0 => {
                Some(self.whims.between_us(0, 20_000))
            }
            Kind::GiveBack { .. } if self.whims.chance(40) => Some(Duration::ZERO),
            Kind::GiveBack { .. } if self.whims.chance(20) => Some(self.whims.between_us(0, 20_000)),
            Kind::Close if self.whims.chance(15) => Some(Duration::ZERO),
            Kind::Close if self.whims.chance(20) => Some(self.whims.between_us(0, 20_000)),
            _ => None,
        }
    }

    fn note(&self, kind: &Kind, told: &Told) {
        let what = match (kind, told) {
            (Kind::Checkout { .. }, Told::GivenUp) => GAVE_UP,
            (Kind::Checkin { .. }, Told::GivenUp) => seen::CHECKIN_LEFT,
            (Kind::GiveBack { .. }, Told::GivenUp) => seen::DROPPED,
            (_, Told::Counted { .. }) => seen::COUNTED,
            (_, Told::MoreThanLicensed { .. }) => seen::MORE_THAN_LICENSED,
            (_, Told::NotStarted { .. }) => seen::NOT_STARTED,
            (_, Told::Expired { .. }) => seen::EXPIRED,
            _ => return,
        };
        self.site.count(what);
    }

    fn vanish(&self, grace: Duration) {
        self.site.count(VANISHED);
        self.site.network.vanish(End::Client(self.number));
        self.site.recorder.vanish(self.number, u64::try_from(grace.as_micros()).unwrap_or(u64::MAX));
    }
}
