//! What clients and servers say to each other: one envelope, versioned, in length-prefixed frames.
//!
//! A connection begins with [`PREAMBLE`] and the client's [`Hello`]; the server answers [`Welcome`]. After that the
//! client sends [`Request`]s, several at a time if it likes, and the server answers each by its id, in any order.
//! The server may also say by itself that mastership moved ([`ServerMessage::Moved`]).
//!
//! A frame is its length (four bytes, big-endian) and that many bytes of [`licensing_core::codec`].

mod hello;
mod pages;
mod reply;
mod request;
mod status;
mod vendor_data;

pub use hello::{
    Hello, KNOWN_EDITION, MAX_HELLO_BYTES, MasterAddress, PREAMBLE, PROTOCOL_VERSIONS, Refusal, Welcome,
    Whereabouts, edition_of, known_edition,
};
pub(crate) use pages::{Pages, Progress};
pub use reply::{Recollection, Reply, ServerMessage};
pub use request::{
    ClientMessage, DataPlace, Place, Request, StatusFilter, Upgrade, is_administrative, is_local,
};
pub use status::{CheckoutStatus, FeatureStatus, ServerStatus, StatusPage, VendorStatus};
pub use vendor_data::{TriadValue, VendorDataPage};

/// Largest frame either side accepts, in bytes: far above any request, small enough that the frames of all
/// connections fit in memory. Status answers longer than this are split (see [`StatusPage`]).
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// Largest number of requests a client may have under way on one connection: the state keeps as many answers.
pub const MAX_UNANSWERED: usize = licensing_core::session::MAX_UNANSWERED;
