//! The rules of floating license seats, as a deterministic state machine.
//!
//! ```
//! use licensing_core::*;
//!
//! let mut state = State::new();
//! let mut ask = |index, command| {
//!     apply(&mut state, LogIndex(index), &Proposal { at: Timestamp(0), command }).answer.outcome
//! };
//! let text = "SERVER alpha ANY 27000\nVENDOR acme\nINCREMENT solver acme 2.1 permanent 5 SIGN=0";
//! ask(1, Command::Install(Compiled::from_text("acme.lic", text).unwrap().into()));
//!
//! let (session, token) = (SessionId(2), Token([7; 16]));
//! let (host, display) = ("desk".into(), ":0".into());
//! let identity = Identity { user: "ada".into(), host, display, pid: 1, project: String::new() };
//! let open = Command::OpenSession { token, identity, address: None };
//! assert_eq!(ask(2, open), Outcome::SessionOpened { session });
//!
//! let mut call = |request, action| {
//!     let (request, acknowledged) = (RequestId(request), RequestId(request - 1));
//!     ask(request.0 + 2, Command::Call(Call { session, token, request, acknowledged, action }))
//! };
//! let (feature, version) = ("solver".to_owned(), "2.0".to_owned());
//! let want = |seats| Action::Checkout {
//!     vendor: None, feature: feature.clone(), version: version.clone(), seats: Seats(seats),
//! };
//! assert_eq!(call(1, want(4)), Outcome::Granted { handle: Handle(3), seats: Seats(4) });
//! assert!(matches!(call(2, want(2)), Outcome::Denied(Denial::NoFreeSeats { .. })));
//! let back = Action::Checkin { handle: Handle(3), owner: None };
//! assert_eq!(call(3, back), Outcome::Returned { handle: Handle(3) });
//! ```
//!
//! The four types that matter: [`Proposal`] is a [`Command`] with the time on it, [`apply`] decides it on a [`State`],
//! and the decision is an [`Answer`] whose [`Outcome`] is a yes or a [`Denial`] with its reason.
//!
//! # Words
//!
//! * *feature*: what is licensed, by the name the license file gives it.
//! * *pool*: license lines whose seats are counted together.
//! * *seat*: the right to use a feature once at a time.
//! * *session*: one client, across reconnects; spoken for with a secret *token*.
//! * *checkout*: seats held by a session under a *handle*; *checkin* gives them back.
//! * *vendor data*: bytes of a daemon's or application's own beside a session, a checkout or the triad, kept and never read.
//! * *proposal*: a command with the master's time on it, one entry of the replicated log.
//! * *outcome*: the answer; a *denial* is a "no" with a reason.
//! * *triad*: three servers; their *roles* are primary, secondary and tertiary; one of them is *master* and serves.
//!
//! # What is promised
//!
//! * The same proposals in the same order give the same answers and the same state, byte for byte.
//! * Never are more seats out than were licensed when they were given.
//! * A numbered request is decided once, however often it is sent.
//! * No input makes [`apply`] fail or panic. Time never goes back.
//!
//! [`invariants::check`] states this as claims that can be checked on any state.
//!
//! # What this crate does not do
//!
//! It has no clock, no I/O, no randomness and no threads, and no replication: it decides, others carry. It verifies no
//! signatures on license files, matches no host ids (a node-locked line is served to whoever asks), and knows no
//! options file, queueing, borrowing or duplicate grouping yet.

#![forbid(unsafe_code)]
// No input may end a server: what cannot happen is answered, not asserted.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::float_arithmetic
    )
)]

// What things are called.
pub mod address;
pub mod digest;
pub mod edition;
pub mod id;
pub mod spoken;

// What may be asked, what happened, what may be answered.
pub mod command;
pub mod event;
pub mod outcome;

// What the license file says.
pub mod license;

// The decision: the state, what each command does to it, the rules of seats, and the book they are written in.
mod apply;
mod holding;
pub mod installing;
mod ledger;
mod pools;
mod rules;
pub mod session;
pub mod state;
pub mod vendor;
pub mod vendor_data;

// Writing a state down, checking it, looking at it.
pub mod codec;
pub mod encode;
pub mod invariants;
pub mod snapshot;
pub mod view;

// Who serves.
pub mod mastership;

// The bugs by which the tests are judged.
#[doc(hidden)]
pub mod mutant;

pub use command::{Action, Call, Command, Extra, Holder, Identity, Install, Proposal, Removal};
pub use digest::Digest;
pub use edition::{Edition, UnknownEdition};
pub use event::{Event, EventKind, Holding, Return};
pub use holding::Keeper;
pub use id::{Handle, LogIndex, PoolId, RequestId, Role, Seats, SessionId, Timestamp, Token, counted};
pub use installing::aside::Prepared;
pub use invariants::Violation;
pub use license::{Compiled, License};
pub use mastership::{Candidate, MastershipView, desired_master};
pub use outcome::{Answer, Denial, Outcome};
pub use state::{Applied, State, apply};
pub use vendor::InstalledLicense;
pub use view::{CheckoutView, PoolView, Recalled};
