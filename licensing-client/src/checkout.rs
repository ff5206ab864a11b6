//! Seats in an application's hands.

use std::future::IntoFuture;

use futures_util::future::BoxFuture;
use licensing_core::command::{ANY_VERSION, Action};
use licensing_core::id::{Handle, LogIndex, Seats, Timestamp};
use licensing_core::outcome::{Answer, Outcome};

use crate::client::{Client, answer};
use crate::driver::ticket::{Command, SeatGuard};
use crate::error::RequestError;

impl Client {
    /// Asks for seats of a feature: one seat of any version, unless the request is told otherwise before it is
    /// awaited.
    pub fn checkout(&self, feature: impl Into<String>) -> CheckoutRequest {
        CheckoutRequest::new(self.clone(), feature.into())
    }

    /// Keeps bytes of the application's own with the session: at most
    /// [`MAX_DATA_BYTES`](licensing_core::vendor_data::MAX_DATA_BYTES), none takes them away. Needs edition 3 of the rules.
    ///
    /// Errors: [`RequestError::Denied`] when there are too many; the others when no definite answer could be had.
    pub async fn set_vendor_data(&self, data: impl Into<Vec<u8>>) -> Result<(), RequestError> {
        self.set_data(None, data.into()).await
    }

    async fn set_data(&self, handle: Option<Handle>, data: Vec<u8>) -> Result<(), RequestError> {
        match self.call(Action::SetVendorData { handle, data }).await?.outcome {
            Outcome::VendorDataSet { .. } => Ok(()),
            Outcome::Denied(denial) => Err(RequestError::Denied(denial)),
            other => Err(unexpected("the vendor data", &other)),
        }
    }
}

/// A request for seats. Await it, or call [`CheckoutRequest::send`].
#[derive(Debug)]
#[must_use = "nothing is asked before the request is awaited"]
pub struct CheckoutRequest {
    client: Client,
    vendor: Option<String>,
    feature: String,
    version: String,
    seats: u32,
    vendor_data: Vec<u8>,
}

impl CheckoutRequest {
    fn new(client: Client, feature: String) -> CheckoutRequest {
        let (version, vendor_data) = (ANY_VERSION.to_owned(), Vec::new());
        CheckoutRequest { client, vendor: None, feature, version, seats: 1, vendor_data }
    }

    /// Asks for the feature of this vendor. Unless set, all vendors are asked in the order of their names.
    pub fn vendor(mut self, vendor: impl Into<String>) -> CheckoutRequest {
        self.vendor = Some(vendor.into());
        self
    }

    /// Asks for this version of the feature: granted when it is not above the licensed one. `0.0` unless set.
    pub fn version(mut self, version: impl Into<String>) -> CheckoutRequest {
        self.version = version.into();
        self
    }

    /// Asks for so many seats, all or none. 1 unless set.
    pub fn seats(mut self, seats: u32) -> CheckoutRequest {
        self.seats = seats;
        self
    }

    /// Keeps bytes of the application's own beside the seats: at most
    /// [`MAX_DATA_BYTES`](licensing_core::vendor_data::MAX_DATA_BYTES). Needs edition 3 of the rules.
    pub fn vendor_data(mut self, data: impl Into<Vec<u8>>) -> CheckoutRequest {
        self.vendor_data = data.into();
        self
    }

    /// Asks. Seats that are granted after the future was dropped go back by themselves.
    ///
    /// Errors: [`RequestError::Denied`] when the servers say no; the others when no definite answer could be had.
    pub async fn send(self) -> Result<Checkout, RequestError> {
        let CheckoutRequest { client, vendor, feature, version, seats, vendor_data } = self;
        let action = Action::checkout(vendor, feature, version, Seats(seats), vendor_data);
        let delivery = client.ask(|ticket| Command::Call { action, ticket }).await?;
        let guard = delivery.seats;
        let answer = answer(delivery.payload)?;
        match (answer.outcome, guard) {
            (Outcome::Granted { handle, seats }, Some(guard)) => {
                Ok(Checkout { handle, seats, index: answer.index, at: answer.at, guard, client })
            }
            (Outcome::Denied(denial), _) => Err(RequestError::Denied(denial)),
            (other, _) => Err(unexpected("the checkout", &other)),
        }
    }
}

impl IntoFuture for CheckoutRequest {
    type Output = Result<Checkout, RequestError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Seats that are held. They survive failovers with the session; they end with [`Checkout::checkin`], with the
/// session, or by an administrator.
///
/// Dropping gives the seats back in the background: the client's task sends the checkin and repeats it until it is
/// answered, as long as the runtime runs. Use [`Checkout::checkin`] to know that it was done.
#[derive(Debug)]
#[must_use = "dropping a checkout gives its seats back"]
pub struct Checkout {
    handle: Handle,
    seats: Seats,
    index: LogIndex,
    at: Timestamp,
    // Before the client: a checkout may be the session's last handle, and its seats go back before the session ends.
    guard: SeatGuard,
    client: Client,
}

impl Checkout {
    /// Name of the checkout, as status commands show it.
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// Where in the replicated log the seats were granted. Later grants have larger indexes, so it serves as a
    /// fencing token.
    pub fn index(&self) -> LogIndex {
        self.index
    }

    /// When the seats were granted, in state time.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// How many seats are held.
    pub fn seats(&self) -> Seats {
        self.seats
    }

    /// The client whose session holds the seats.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Keeps these bytes beside the seats instead of what was there; none takes them away. Needs edition 3 of the rules.
    ///
    /// Errors: [`RequestError::Denied`] when there are too many, or the seats are gone; the others when no definite answer could
    /// be had.
    pub async fn set_vendor_data(&self, data: impl Into<Vec<u8>>) -> Result<(), RequestError> {
        self.client.set_data(Some(self.handle), data.into()).await
    }

    /// Gives the seats back and waits for the answer. Whatever happens to the future, the checkin is sent and
    /// repeated until it is answered.
    ///
    /// Errors: [`RequestError::Denied`] when the seats were gone already (an administrator removed them);
    /// [`RequestError::SessionLost`] when they went with the session; [`RequestError::Unknown`] when no definite
    /// answer came in time.
    pub async fn checkin(self) -> Result<Answer, RequestError> {
        let Checkout { handle, guard, client, .. } = self;
        let delivery = client.ask_without_limit(|ticket| {
            // The session sends it from now on, whether anybody waits or not.
            guard.disarm();
            Command::GiveBack { handle, ticket: Some(ticket) }
        });
        let answer = answer(delivery.await?.payload)?;
        match answer.outcome {
            Outcome::Returned { .. } => Ok(answer),
            Outcome::Denied(denial) => Err(RequestError::Denied(denial)),
            other => Err(unexpected("the checkin", &other)),
        }
    }

    /// Keeps the seats until the session ends, or until somebody gives them back by their handle.
    pub fn detach(self) -> Handle {
        self.guard.disarm();
        self.handle
    }
}

fn unexpected(what: &str, outcome: &Outcome) -> RequestError {
    RequestError::Unknown { what: what.to_owned(), reason: format!("the answer was {outcome:?}") }
}
