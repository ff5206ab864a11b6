//! What openraft is told when a peer did not do as it was asked.

use openraft::errors::{NetworkError, RPCError, StreamingError, Unreachable};

use crate::engine::types::Types;
use crate::peer::link::LinkError;
use crate::peer::message::PeerReply;

pub(super) type RpcResult<T> = Result<T, RPCError<Types>>;

/// "Unreachable" makes openraft back off at once, which is right only when there is no connection at all.
pub(super) fn rpc_error(error: LinkError) -> RPCError<Types> {
    match error {
        LinkError::Unreachable { .. } => RPCError::Unreachable(Unreachable::new(&error)),
        LinkError::Lost { .. } => RPCError::Network(NetworkError::new(&error)),
    }
}

pub(super) fn network_error(why: &str) -> RPCError<Types> {
    RPCError::Network(NetworkError::from_string(why))
}

pub(super) fn unexpected(reply: &PeerReply) -> RPCError<Types> {
    match reply {
        PeerReply::Refused(why) => network_error(why),
        other => network_error(&format!("an unexpected reply: {other:?}")),
    }
}

pub(super) fn streaming(error: RPCError<Types>) -> StreamingError<Types> {
    match error {
        RPCError::Unreachable(error) => StreamingError::Unreachable(error),
        RPCError::Network(error) => StreamingError::Network(error),
        RPCError::Timeout(error) => StreamingError::Timeout(error),
        RPCError::RemoteError(error) => StreamingError::Network(NetworkError::new(&error)),
    }
}
