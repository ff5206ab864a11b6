//! The client for programs without a runtime: calls that wait for their answer, from any thread.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripted/fake.rs"));
//! use licensing_client::{ClientConfig, blocking::Client};
//!
//! # fn main() -> anyhow::Result<()> {
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # let servers = runtime.block_on(fake_master())?.to_string();
//! let client = Client::connect(ClientConfig::new(servers.parse()?))?;
//! let seats = client.checkout("editor").version("2.0").seats(2).send()?;
//! println!("{} seats are held as {}", seats.seats(), seats.handle());
//! seats.checkin()?; // dropping `seats` gives them back too, and waits a second for the answer
//! # Ok(())
//! # }
//! ```
//! Behind each client is a thread that keeps the session alive: a program that sleeps, computes or waits for its user keeps its
//! seats. After a `fork` the client belongs to the parent: in the child every call fails, and drops do nothing.

mod worker;

use std::sync::Arc;
use std::time::Duration;

use licensing_core::command::Action;
use licensing_core::id::{Handle, LogIndex, Seats, SessionId};
use licensing_core::outcome::Answer;

use crate::client::ClientConfig;
use crate::error::{ConnectError, RequestError};
use crate::protocol::{StatusFilter, StatusPage};
use worker::Worker;

/// How long a drop waits: a program that ends right afterwards leaves no seats behind, and one without servers ends all the same.
pub const DROP_LIMIT: Duration = Duration::from_secs(1);

/// One session with a license triad, whose calls wait. Cheap to clone; all clones share the session.
///
/// It ends with [`Client::close`], or when the last clone and the last [`Checkout`] are dropped; see [`DROP_LIMIT`].
#[derive(Debug, Clone)]
pub struct Client {
    open: Arc<Open>,
}

#[derive(Debug)]
struct Open {
    /// Taken when it is dropped.
    client: Option<crate::Client>,
    worker: Worker,
}

impl Client {
    /// Finds the master by TCP and opens a session.
    ///
    /// # Errors
    ///
    /// No master answered within [`ClientConfig::connect_timeout`], the servers want no session, or there is no thread for it.
    pub fn connect(config: ClientConfig) -> Result<Client, ConnectError> {
        let worker = Worker::start().map_err(ConnectError::Thread)?;
        let connected = worker.run(crate::Client::connect(config));
        let ended =
            || ConnectError::NoMaster { waited_ms: 0, problems: "the client's thread ended".to_owned() };
        let client = connected.ok_or_else(ended)??;
        Ok(Client { open: Arc::new(Open { client: Some(client), worker }) })
    }

    /// Asks for seats of a feature: one seat of any version, unless the request is told otherwise before it is sent.
    pub fn checkout(&self, feature: impl Into<String>) -> CheckoutRequest {
        CheckoutRequest {
            client: self.clone(),
            feature: feature.into(),
            vendor: None,
            version: None,
            seats: 1,
            vendor_data: Vec::new(),
        }
    }

    /// See [`crate::Client::call`].
    ///
    /// # Errors
    ///
    /// Whatever kept a definite answer from being given; never [`RequestError::Denied`].
    pub fn call(&self, action: Action) -> Result<Answer, RequestError> {
        self.ask(move |client| async move { client.call(action).await })
    }

    /// See [`crate::Client::status`].
    ///
    /// # Errors
    ///
    /// Whatever kept it from being answered.
    pub fn status(&self, filter: StatusFilter) -> Result<StatusPage, RequestError> {
        self.ask(move |client| async move { client.status(filter).await })
    }

    /// See [`crate::Client::set_vendor_data`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set_vendor_data(&self, data: impl Into<Vec<u8>>) -> Result<(), RequestError> {
        let data = data.into();
        self.ask(move |client| async move { client.set_vendor_data(data).await })
    }

    /// Name of the session.
    pub fn session(&self) -> SessionId {
        self.open.client().session()
    }

    /// Ends the session and returns all its seats, also those of other clones; see [`crate::Client::close`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn close(self) -> Result<(), RequestError> {
        self.ask(|client| client.close())
    }

    fn ask<T, F>(&self, ask: impl FnOnce(crate::Client) -> F) -> Result<T, RequestError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RequestError>> + Send + 'static,
    {
        if let Some(owner) = self.open.worker.elsewhere() {
            return Err(RequestError::OtherProcess { owner });
        }
        let ended = || RequestError::Unknown {
            what: "the request".to_owned(),
            reason: "the client's thread ended".to_owned(),
        };
        self.open.worker.run(ask(self.open.client().clone())).ok_or_else(ended)?
    }
}

impl Open {
    fn client(&self) -> &crate::Client {
        self.client.as_ref().expect("it is taken when it is dropped")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        if self.worker.elsewhere().is_some() {
            // Whatever it holds is the parent's.
            return std::mem::forget(client);
        }
        self.worker.run_for(DROP_LIMIT, client.close());
    }
}

/// A request for seats; see [`CheckoutRequest::send`].
#[derive(Debug)]
#[must_use = "nothing is asked before the request is sent"]
pub struct CheckoutRequest {
    client: Client,
    vendor: Option<String>,
    feature: String,
    version: Option<String>,
    seats: u32,
    vendor_data: Vec<u8>,
}

impl CheckoutRequest {
    /// Asks for the feature of this vendor. Unless set, all vendors are asked in the order of their names.
    pub fn vendor(self, vendor: impl Into<String>) -> CheckoutRequest {
        CheckoutRequest { vendor: Some(vendor.into()), ..self }
    }

    /// Asks for this version of the feature: granted when it is not above the licensed one. Any unless set.
    pub fn version(self, version: impl Into<String>) -> CheckoutRequest {
        CheckoutRequest { version: Some(version.into()), ..self }
    }

    /// Asks for so many seats, all or none. 1 unless set.
    pub fn seats(self, seats: u32) -> CheckoutRequest {
        CheckoutRequest { seats, ..self }
    }

    /// See [`crate::CheckoutRequest::vendor_data`].
    pub fn vendor_data(self, data: impl Into<Vec<u8>>) -> CheckoutRequest {
        CheckoutRequest { vendor_data: data.into(), ..self }
    }

    /// Asks, and waits for the answer: [`ClientConfig::reconnect_timeout`] at most.
    ///
    /// # Errors
    ///
    /// [`RequestError::Denied`] when the servers say no; the others when no definite answer could be had.
    pub fn send(self) -> Result<Checkout, RequestError> {
        let CheckoutRequest { client, vendor, feature, version, seats, vendor_data } = self;
        let seats = client.ask(move |client| async move {
            let mut request = client.checkout(feature).seats(seats).vendor_data(vendor_data);
            if let Some(vendor) = vendor {
                request = request.vendor(vendor);
            }
            if let Some(version) = version {
                request = request.version(version);
            }
            request.send().await
        })?;
        Ok(Checkout { seats: Some(seats), client })
    }
}

/// Seats that are held. They survive failovers with the session; they end with [`Checkout::checkin`], with a drop, with the
/// session, or by an administrator.
#[derive(Debug)]
#[must_use = "dropping a checkout gives its seats back"]
pub struct Checkout {
    /// Taken when they are given back.
    seats: Option<crate::Checkout>,
    client: Client,
}

impl Checkout {
    fn held(&self) -> &crate::Checkout {
        self.seats.as_ref().expect("they are taken when they are given back")
    }

    /// Name of the checkout, as status commands show it.
    pub fn handle(&self) -> Handle {
        self.held().handle()
    }

    /// Where in the replicated log the seats were granted: a fencing token.
    pub fn index(&self) -> LogIndex {
        self.held().index()
    }

    /// How many seats are held.
    pub fn seats(&self) -> Seats {
        self.held().seats()
    }

    /// Gives the seats back and waits for the answer.
    ///
    /// # Errors
    ///
    /// As [`crate::Checkout::checkin`].
    pub fn checkin(mut self) -> Result<Answer, RequestError> {
        if let Some(owner) = self.client.open.worker.elsewhere() {
            return Err(RequestError::OtherProcess { owner });
        }
        match self.seats.take() {
            Some(seats) => self.client.ask(|_| seats.checkin()),
            None => Err(RequestError::Closed),
        }
    }

    /// Keeps the seats until the session ends, or until somebody gives them back by their handle.
    pub fn detach(mut self) -> Handle {
        let handle = self.handle();
        if let Some(seats) = self.seats.take() {
            seats.detach();
        }
        handle
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let Some(seats) = self.seats.take() else { return };
        let worker = &self.client.open.worker;
        if worker.elsewhere().is_some() {
            return std::mem::forget(seats);
        }
        worker.run_for(DROP_LIMIT, seats.checkin());
    }
}
