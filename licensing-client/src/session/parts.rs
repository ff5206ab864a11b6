//! Where each request of a session stands.

use std::time::Duration;

use licensing_core::command::Action;
use licensing_core::id::{Handle, SessionId};

use crate::protocol::{Pages, StatusFilter};

#[derive(Debug)]
pub(super) enum Phase<W> {
    Opening(Sending),
    Open(SessionId),
    Closing { session: SessionId, sending: Sending, deadline: Duration, waiter: Option<W> },
    Over(End),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    NotOpened,
    Lost(SessionId),
    Closed,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// To be sent at this time.
    Due(Duration),
    /// Sent on the present connection.
    InFlight,
}

impl Sending {
    pub(super) fn is_due(self, now: Duration) -> bool {
        matches!(self, Sending::Due(at) if at <= now)
    }
}

/// What a message on the present connection was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Authenticate,
    Open,
    Heartbeat,
    Servers,
    Call(u64),
    Query(u64),
    Close,
}

/// A numbered request without a definite answer.
#[derive(Debug)]
pub(super) struct Asked<W> {
    pub(super) action: Action,
    /// Nobody for what the client does by itself, and after [`RequestError::Unknown`] was told.
    pub(super) waiter: Option<W>,
    pub(super) deadline: Duration,
    pub(super) sending: Sending,
    /// An earlier sending may have been carried out: its connection was lost, or the server did not know.
    pub(super) in_doubt: bool,
    pub(super) tries: u32,
}

#[derive(Debug)]
pub(super) struct Waiting<W> {
    pub(super) action: Action,
    pub(super) waiter: W,
    pub(super) deadline: Duration,
}

/// Seats to give back. Unlike what waits, it is sent even when nobody waits for the answer any more.
#[derive(Debug)]
pub(super) struct Return<W> {
    pub(super) handle: Handle,
    pub(super) waiter: Option<W>,
    pub(super) deadline: Duration,
}

#[derive(Debug)]
pub(super) struct Query<W> {
    pub(super) filter: StatusFilter,
    pub(super) pages: Pages,
    pub(super) waiter: W,
    pub(super) deadline: Duration,
    pub(super) sending: Sending,
    pub(super) tries: u32,
}
