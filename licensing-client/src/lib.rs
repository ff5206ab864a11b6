//! What an application links to check seats out of a license triad, and to keep them through failovers.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripted/fake.rs"));
//! use licensing_client::{Client, ClientConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! # let servers = fake_master().await?.to_string();
//! // `servers` is a search path such as 27001@h1,27001@h2,27001@h3; SearchPath::from_env reads LM_LICENSE_FILE.
//! let client = Client::connect(ClientConfig::new(servers.parse()?)).await?;
//!
//! let seats = client.checkout("editor").version("2.0").seats(2).await?;
//! println!("{} seats are held as {}", seats.seats(), seats.handle());
//!
//! seats.checkin().await?; // dropping `seats` gives them back too, without waiting for the answer
//! client.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Four types matter:
//! * [`Client`] is one session with a triad. A task behind it keeps the connection, sends heartbeats and follows the
//!   master. A killed master shows as a slower answer, not as an error.
//! * [`Checkout`] holds seats until it is checked in or dropped.
//! * [`RequestError`] tells "no" ([`RequestError::Denied`]) from "could not find out" ([`RequestError::Unknown`]).
//!   Every request is done at most once, however often it had to be sent.
//! * [`SearchPath`] says where the servers are.
//!
//! Commands that concern one server and no session use [`Direct`]. Servers share [`protocol`] and [`framing`];
//! simulations replace [`Dial`] and [`TokenSource`], or drive a [`session::Session`] by hand.
//!
//! What this crate does not do: it does not decide anything about licenses, it reads no license file unless asked to
//! ([`license_file`] is for the servers and for administrators' programs), it does not queue for seats that are taken,
//! and it does not hold seats while no server knows of them. It needs a tokio runtime with time and I/O enabled, or none at
//! all: then take [`blocking`].

pub mod admin_key;
pub mod blocking;
pub mod checkout;
pub mod client;
pub mod connection;
pub mod dial;
pub mod direct;
mod driver;
pub mod error;
pub mod event;
pub mod framing;
pub mod identity;
pub mod license_file;
pub mod names;
pub mod protocol;
pub mod search_path;
pub mod session;
mod words;

pub use admin_key::{AdminKey, AdminKeyError};
pub use checkout::{Checkout, CheckoutRequest};
pub use client::{Client, ClientConfig};
pub use dial::{Dial, OsTokens, Stream, TcpDial, TokenSource};
pub use direct::{Direct, DirectError};
pub use error::{Awaited, ConnectError, ConnectionError, RequestError};
pub use event::ClientEvent;
pub use identity::current_identity;
pub use search_path::{SearchPath, SearchPathError, ServerAddress, Site};

// What answers and requests are made of.
pub use licensing_core::command::{Action, Identity, Removal};
pub use licensing_core::id::{Handle, LogIndex, Role, Seats, SessionId, Timestamp, Token};
pub use licensing_core::outcome::{Answer, Denial, Outcome};
