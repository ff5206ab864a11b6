//! What a client can ask.

use std::net::SocketAddr;

use licensing_core::command::{Action, Identity, Removal};
use licensing_core::id::{Handle, RequestId, SessionId, Token};
use serde::{Deserialize, Serialize};

/// A request with the id its answer will carry. Ids belong to the connection and are never reused on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMessage {
    /// Chosen by the client.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// What a client can ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Start a session; the same token always names the same session, so it is safe to resend.
    OpenSession {
        /// Secret chosen by the client.
        token: Token,
        /// Who it is.
        identity: Identity,
    },
    /// A sign of life of a session; after a reconnect it also shows whether the session still exists.
    Heartbeat {
        /// Which session.
        session: SessionId,
        /// Its secret.
        token: Token,
    },
    /// A numbered request of a session, safe to resend with the same number.
    Call {
        /// Which session.
        session: SessionId,
        /// Its secret.
        token: Token,
        /// The client's number for it.
        request: RequestId,
        /// All up to this one are answered as far as the client is concerned.
        acknowledged: RequestId,
        /// What is asked. Administrative actions need [`Request::Authenticate`] first unless the client is local.
        action: Action,
    },
    /// What became of a numbered request? Answered without doing it.
    Recall {
        /// Which session.
        session: SessionId,
        /// Its secret.
        token: Token,
        /// The client's number for it.
        request: RequestId,
    },
    /// End a session and return its seats.
    CloseSession {
        /// Which session.
        session: SessionId,
        /// Its secret.
        token: Token,
    },
    /// State of the triad as this server knows it. Works on every server, also without a quorum.
    Status {
        /// What to leave out.
        filter: StatusFilter,
        /// Continue a long answer where [`StatusPage::more`](super::StatusPage::more) said.
        after: Option<Place>,
    },
    /// Prove knowledge of the admin key: HMAC-SHA256 of the welcome's challenge under the key.
    Authenticate {
        /// The proof.
        proof: [u8; 32],
    },
    /// Read the license file again (`lmreread`). For administrators.
    Reread,
    /// Stop this server (`lmdown`). For administrators.
    Shutdown {
        /// Whether a master should hand over first; not when the whole triad goes down.
        hand_over: bool,
    },
    /// Decide about a newer edition of the rules, once all servers know it. For administrators.
    Upgrade(Upgrade),
    /// Vendor data: the triad's, and that of all sessions and checkouts. Works on every server. For administrators.
    VendorData {
        /// Continue a long answer where [`VendorDataPage::more`](super::VendorDataPage::more) said.
        after: Option<DataPlace>,
    },
}

/// Where a long answer about vendor data goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DataPlace {
    /// Behind this session.
    Session(SessionId),
    /// Behind this checkout; all sessions have been told.
    Checkout(Handle),
}

/// What to do about a newer edition of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Upgrade {
    /// Apply it now.
    Finish,
    /// Do not apply it until somebody says so.
    Hold,
    /// Apply it when all servers have known it for a while, as usual.
    Release,
}

/// Where a long status goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// Behind so many pools.
    Pools(u32),
    /// Behind this checkout; all pools have been told.
    Checkout(Handle),
}

/// What to show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatusFilter {
    /// Only this feature.
    pub feature: Option<String>,
    /// Leave the checkouts out.
    pub without_checkouts: bool,
}

/// Whether an action is for administrators only. `Checkin` of a foreign handle is judged by its token instead.
pub fn is_administrative(action: &Action) -> bool {
    match action {
        Action::Remove(Removal::Handle(_) | Removal::Holder { .. })
        | Action::Maintain { .. }
        | Action::PreferMaster { .. } => true,
        Action::Checkout { .. }
        | Action::CheckoutWith { .. }
        | Action::Checkin { .. }
        | Action::SetVendorData { .. } => false,
    }
}

/// Whether a connection's far end is this machine, for administrators without a key.
pub fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
