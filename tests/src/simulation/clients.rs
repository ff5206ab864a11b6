//! The clients of a run: each checks seats out and in, one request after the other, and writes down what it was told.
//! Now and then one falls silent for ever, and another takes its place.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use licensing_core::id::{Handle, Seats};
use licensing_raft::watch::Watcher;

use super::faults::seen;
use super::network::End;
use super::random::Stream;
use super::service::{Client, Service, Site};
use crate::history::{Kind, Told};

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
        site.count(seen::VANISHED);
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
    Some(Worker { site: site.clone(), number, client, random, held: Vec::new() })
}

struct Worker<S: Service> {
    site: Arc<Site<S>>,
    number: u32,
    client: S::Client,
    random: Stream,
    held: Vec<Handle>,
}

impl<S: Service> Worker<S> {
    /// Works until told to stop, which gives `false`, or until it vanishes.
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
            return Kind::Checkin { handle: self.held.swap_remove(place) };
        }
        if !self.held.is_empty() && self.site.service.keeps_data() && self.random.below(10) == 0 {
            let place = self.random.below(self.held.len() as u64) as usize;
            return Kind::SetData { handle: self.held[place] };
        }
        let feature = features[self.random.below(features.len() as u64) as usize].clone();
        Kind::Checkout { feature, seats: Seats(1 + self.random.below(2) as u32) }
    }

    async fn ask(&self, kind: Kind) -> Told {
        let asked = self.site.recorder.invoke(self.number, kind.clone());
        let mut client = self.client.clone();
        let answer = client.ask(&kind);
        // An application may stop waiting at any moment: before anything was sent, on the way, with the answer at the door.
        let may_give_up = matches!(kind, Kind::Checkout { .. }) && self.site.service.gives_back();
        let told = if may_give_up && self.random.below(300) == 0 {
            let patience = self.random.between_us(0, 60_000);
            tokio::time::timeout(patience, answer).await.unwrap_or(Told::GivenUp)
        } else {
            answer.await
        };
        if told == Told::GivenUp {
            self.site.count(seen::GAVE_UP);
        }
        self.site.recorder.complete(asked, told.clone());
        told
    }

    fn vanish(&self, grace: Duration) {
        self.site.network.vanish(End::Client(self.number));
        self.site.recorder.vanish(self.number, u64::try_from(grace.as_micros()).unwrap_or(u64::MAX));
    }
}
