//! What a client is told, in the words of the protocol.

use std::time::Duration;

use licensing_client::protocol::{Reply, Whereabouts};
use licensing_core::id::SessionId;
use licensing_raft::ProposeError;

use crate::server::Server;

/// The answer to a heartbeat.
pub(super) fn alive(server: &Server, session: SessionId) -> Reply {
    server.node.touch(session);
    Reply::Alive {
        index: server.node.look(|state| state.last_index()),
        heartbeat_ms: millis(server.node.session_heartbeat()),
    }
}

/// What a client is told when the node gave no answer.
pub(crate) fn propose_error(server: &Server, problem: ProposeError) -> Reply {
    match problem {
        ProposeError::NotMaster { master } => Reply::NotMaster(Whereabouts {
            role: server.role,
            // A server that has just refused does not send the client to itself.
            master: master.filter(|master| *master != server.role).map(|role| server.master_address(role)),
        }),
        ProposeError::Busy { retry_after_ms } => Reply::Busy { retry_after_ms },
        ProposeError::NeedsEdition { needed, .. } => Reply::NeedsEdition { needed },
        ProposeError::TooLarge { .. } => Reply::Error(problem.to_string()),
        ProposeError::Unknown(why) => Reply::Unknown(why),
        ProposeError::Stopped(_) => Reply::NotMaster(Whereabouts { role: server.role, master: None }),
        // What a later node may say leaves open whether it was done.
        other => Reply::Unknown(other.to_string()),
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
