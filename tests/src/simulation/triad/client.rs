//! A client of the reference server: the real client library, over the simulated network. One in three holds its seats in the
//! library's guards, which give back by themselves what is dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use licensing_client::protocol::StatusFilter;
use licensing_client::{Checkout, Client as LicensingClient, RequestError};
use licensing_core::id::{Handle, Role, Seats, SessionId};
use licensing_core::outcome::Answer;

use super::dialing::Dialing;
use super::licenses;
use super::names::seen;
use super::overheard::Sniffed;
use super::parts::Triad;
use crate::history::{Kind, Recorder, Told, vendor_data};
use crate::simulation::network::End;
use crate::simulation::nodes::client::{Way, ask, config_of, said, tokens_of};
use crate::simulation::service::{Client, Service, Site};

/// The real client library, over the simulated network.
#[derive(Clone)]
pub struct TriadClient {
    number: u32,
    client: LicensingClient,
    recorder: Recorder,
    sniffed: Sniffed,
    guards: Arc<Mutex<BTreeMap<Handle, Checkout>>>,
}

impl TriadClient {
    /// A new client. One in four knows no server, only a load balancer in front of them.
    pub(super) async fn connect(site: &Site<Triad>, number: u32) -> Option<TriadClient> {
        let kind = site.service.kind;
        let (mut config, tokens) = (config_of(number, licenses::search_path(kind)), tokens_of(site, number));
        let way = Way { network: site.network.clone(), from: End::Client(number) };
        let random = site.random(&format!("way of client {number}"));
        let mut dial = Dialing::new(way, site.service.duplicates.clone());
        if kind.roles().len() > 1 && random.chance(25) {
            config.relay = true;
            dial = dial.balanced(Role::ALL[random.below(3) as usize]);
        }
        let client = match LicensingClient::connect_with(config, Arc::new(dial.clone()), &tokens).await {
            Ok(client) => client,
            Err(error) => {
                site.fail("every client finds the master", error);
                return None;
            }
        };
        let master = site.service.master(&site.servers());
        if dial.newest().zip(master).is_some_and(|(newest, master)| newest != master) {
            site.count(seen::RELAYED);
        }
        let (recorder, sniffed) = (site.recorder.clone(), site.service.duplicates.clone());
        Some(TriadClient { number, client, recorder, sniffed, guards: Arc::default() })
    }
}

impl Client for TriadClient {
    fn session(&self) -> Option<SessionId> {
        Some(self.client.session())
    }

    fn is_guarded(&self) -> bool {
        self.number.is_multiple_of(3)
    }

    fn ask(&mut self, kind: &Kind) -> impl Future<Output = Told> + Send {
        // From now on the answer has it: whoever drops that, even before it was looked at, drops the seats.
        let guard = match kind {
            Kind::GiveBack { handle } => self.guards().remove(handle),
            _ => None,
        };
        async move {
            match kind {
                Kind::Checkout { feature, seats } if self.is_guarded() => {
                    self.check_out(feature, *seats).await
                }
                Kind::GiveBack { .. } => self.give_back(guard).await,
                Kind::Close => self.close().await,
                Kind::Count { feature } => self.count(feature).await,
                _ => {
                    let heard = |answer: &Answer| self.recorder.date(answer.index, answer.at);
                    ask(&self.client, self.number, kind, licenses::asked, heard).await
                }
            }
        }
    }
}

impl TriadClient {
    /// Seats in a guard. The library's word on a denial has no index, so nobody can tell when it was true.
    async fn check_out(&self, feature: &str, seats: Seats) -> Told {
        let (vendor, name) = licenses::asked(feature);
        let request = || {
            let request = self.client.checkout(name.clone()).version("1.0").seats(seats.0);
            match &vendor {
                Some(vendor) => request.vendor(vendor.clone()),
                None => request,
            }
        };
        let data = vendor_data::at_first(self.number, feature, seats);
        let keeps = self.number % 2 == 1;
        let mut granted = match keeps {
            true => request().vendor_data(data).send().await,
            false => request().send().await,
        };
        let mut kept = keeps;
        if let Err(RequestError::NeedsEdition { .. }) = granted {
            (granted, kept) = (request().send().await, false);
        }
        match granted {
            Ok(checkout) => {
                self.recorder.date(checkout.index(), checkout.at());
                let (index, handle) = (checkout.index(), checkout.handle());
                self.guards().insert(handle, checkout);
                said(Told::Granted { index, handle, with_data: None }, kept)
            }
            Err(error) => without_answer(error),
        }
    }

    fn guards(&self) -> MutexGuard<'_, BTreeMap<Handle, Checkout>> {
        self.guards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn give_back(&self, guard: Option<Checkout>) -> Told {
        let Some(guard) = guard else {
            return Told::NotDone { why: "nothing guards it".to_owned() };
        };
        match guard.checkin().await {
            Ok(answer) => {
                self.recorder.date(answer.index, answer.at);
                Told::Returned { index: answer.index }
            }
            Err(error) => without_answer(error),
        }
    }

    async fn close(&self) -> Told {
        match self.client.clone().close().await {
            Ok(()) => match self.sniffed.closed(self.client.session()) {
                Some(answer) => {
                    self.recorder.date(answer.index, answer.at);
                    Told::Closed { index: answer.index }
                }
                None => Told::WasClosed,
            },
            Err(error) => Told::Unknown { why: error.to_string() },
        }
    }

    /// Later pages may be of later states: only what the first one tells is of the state that the answer names.
    async fn count(&self, feature: &str) -> Told {
        let (_, name) = licenses::asked(feature);
        let filter = StatusFilter { feature: Some(name), without_checkouts: true };
        match self.client.status(filter).await {
            Ok(page) => {
                self.recorder.date(page.applied_index, page.at);
                let first = page.features.first().filter(|first| {
                    licenses::name_of(&first.vendor, &first.name).is_some_and(|name| name == feature)
                });
                first.map_or_else(
                    || Told::NotDone { why: "it is not what the first page begins with".to_owned() },
                    |first| Told::Counted {
                        applied: page.applied_index,
                        issued: first.issued.unwrap_or(Seats(u32::MAX)),
                        in_use: first.in_use,
                    },
                )
            }
            Err(error) => without_answer(error),
        }
    }
}

fn without_answer(error: RequestError) -> Told {
    match error {
        RequestError::Unknown { .. } => Told::Unknown { why: error.to_string() },
        RequestError::SessionLost { .. } => Told::SessionLost,
        error => Told::NotDone { why: error.to_string() },
    }
}
