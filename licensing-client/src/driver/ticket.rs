//! A caller's place in the queue, and the promise that seats which reach nobody go back.

use licensing_core::command::Action;
use licensing_core::id::Handle;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::error::RequestError;
use crate::protocol::StatusFilter;
use crate::session::{Payload, Waiter};

/// What handles ask of the client's task. The channel has no limit of its own: calls and queries carry a permit of
/// limited number, and there is at most one return for each checkout and one closing for each client handle.
#[derive(Debug)]
pub(crate) enum Command {
    Call { action: Action, ticket: Ticket },
    Status { filter: StatusFilter, ticket: Ticket },
    GiveBack { handle: Handle, ticket: Option<Ticket> },
    Close { ticket: Ticket },
}

/// A good answer on its way to a caller.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) payload: Payload,
    /// For seats that were granted.
    pub(crate) seats: Option<SeatGuard>,
}

/// Where a caller waits.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) answer: oneshot::Sender<Result<Delivery, RequestError>>,
    /// Given back when the answer is there.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

impl Waiter for Ticket {
    fn gave_up(&self) -> bool {
        self.answer.is_closed()
    }
}

/// Seats that are given back in the background when this is dropped: in a `Checkout`, and in an answer whose caller
/// stopped waiting at the last moment.
#[derive(Debug)]
pub(crate) struct SeatGuard {
    handle: Handle,
    /// `None` when somebody else looks after the seats.
    commands: Option<UnboundedSender<Command>>,
}

impl SeatGuard {
    pub(crate) fn new(handle: Handle, commands: UnboundedSender<Command>) -> SeatGuard {
        SeatGuard { handle, commands: Some(commands) }
    }

    /// Leaves the seats alone from now on.
    pub(crate) fn disarm(mut self) {
        self.commands = None;
    }
}

impl Drop for SeatGuard {
    fn drop(&mut self) {
        if let Some(commands) = self.commands.take() {
            // The task is gone only when its runtime is; then the session's grace returns the seats.
            let _ = commands.send(Command::GiveBack { handle: self.handle, ticket: None });
        }
    }
}
