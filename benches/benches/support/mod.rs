//! What the benches work on.

pub(crate) mod plain_log;

use licensing_core::command::{Action, Call, Command, Proposal};
use licensing_core::id::{RequestId, Seats, SessionId, Timestamp, Token};

/// A checkout of one seat of `f1`, as a client asks for it.
pub(crate) fn checkout_proposal(request: u64) -> Proposal {
    let action = Action::Checkout { feature: "f1".to_owned(), version: "1.0".to_owned(), seats: Seats(1) };
    let call = Call {
        session: SessionId(7),
        token: Token([7; 16]),
        request: RequestId(request),
        acknowledged: RequestId(request - 1),
        action,
    };
    Proposal { at: Timestamp(1_800_000_000_000), command: Command::Call(call) }
}
