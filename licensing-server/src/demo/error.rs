//! Why the demonstration could not be shown.

use licensing_client::{ConnectError, DirectError, RequestError};

use crate::local_triad::TriadError;

/// A demonstration that could not be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// See [`TriadError`].
    #[error(transparent)]
    Triad(#[from] TriadError),
    /// A client found no server.
    #[error("a client cannot connect: {0}")]
    Connect(#[from] ConnectError),
    /// A client did not get the seats that were free.
    #[error("a client did not get its seats: {0}")]
    Request(#[from] RequestError),
    /// The master did not tell its state.
    #[error("cannot ask the master: {0}")]
    Status(#[from] DirectError),
}
