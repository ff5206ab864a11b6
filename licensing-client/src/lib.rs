//! What an application links to check seats out of a license triad, and to keep them through failovers.

pub mod admin_key;
pub mod checkout;
pub mod client;
pub mod connection;
pub mod dial;
pub mod direct;
mod driver;
pub mod error;
pub mod event;
mod exchange;
pub mod framing;
pub mod identity;
mod pages;
mod pause;
pub mod protocol;
pub mod search_path;
mod seek;
pub mod session;
mod ticket;
mod watch;
mod words;

pub use admin_key::{AdminKey, AdminKeyError};
pub use checkout::{Checkout, CheckoutRequest};
pub use client::{Client, ClientConfig};
pub use dial::{Dial, OsTokens, Stream, TcpDial, TokenSource};
pub use direct::{Direct, DirectError};
pub use error::{ConnectError, ConnectionError, RequestError};
pub use event::ClientEvent;
pub use identity::current_identity;
pub use search_path::{SearchPath, SearchPathError, ServerAddress};
