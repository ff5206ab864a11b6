//! The work every measured system does: a client takes a seat and gives it back.
//!
//! One trait, so that the loops which measure are the same code for the triad and for its rivals; what differs between
//! two rows of a table is then the system that answered. The property kept: an `Ok` is a definite answer of the system,
//! and nothing here asks twice behind the loop's back.

use std::future::Future;

use licensing_client::{Checkout, Client, RequestError, SearchPath};

use crate::work::triad::{connect, feature_name};

/// One client of a system: one request at a time.
pub trait Seats: Send + 'static {
    /// A seat that was granted.
    type Seat: Send;

    /// Takes a seat. A denial is an error: there are seats enough.
    fn checkout(&mut self) -> impl Future<Output = anyhow::Result<Self::Seat>> + Send;

    /// Gives it back.
    fn checkin(&mut self, seat: Self::Seat) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Makes the client able to work again after an error, when that takes more than to ask again.
    fn recover(&mut self, problem: &anyhow::Error) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// A client of a triad, with a session of its own.
#[derive(Debug, Clone)]
pub struct TriadSeats {
    client: Client,
    servers: SearchPath,
    number: usize,
    feature: String,
}

impl TriadSeats {
    /// The clients in their order; client `n` uses feature `n` modulo `features`.
    pub fn of(clients: &[Client], servers: &SearchPath, features: usize) -> Vec<TriadSeats> {
        let numbered = clients.iter().enumerate();
        numbered
            .map(|(number, client)| TriadSeats {
                client: client.clone(),
                servers: servers.clone(),
                number,
                feature: feature_name(number % features.max(1)),
            })
            .collect()
    }
}

impl Seats for TriadSeats {
    type Seat = Checkout;

    async fn checkout(&mut self) -> anyhow::Result<Checkout> {
        Ok(self.client.checkout(self.feature.as_str()).await?)
    }

    async fn checkin(&mut self, seat: Checkout) -> anyhow::Result<()> {
        seat.checkin().await?;
        Ok(())
    }

    /// The client library reconnects by itself; only a session that is lost has to be opened anew.
    async fn recover(&mut self, problem: &anyhow::Error) -> anyhow::Result<()> {
        if matches!(problem.downcast_ref(), Some(RequestError::SessionLost { .. })) {
            self.client = connect(self.servers.clone(), self.number).await?;
        }
        Ok(())
    }
}
