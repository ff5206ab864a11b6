//! What each request means: mostly a proposal to the node and the translation of its answer.

use std::sync::Arc;

use licensing_client::protocol::{Recollection, Reply, Request, Standing, is_administrative};
use licensing_core::command::{Action, Call, Command};
use licensing_core::id::{SessionId, Token};
use licensing_core::outcome::{Denial, Outcome};
use licensing_core::view::Recalled;
use licensing_raft::ProposeError;

use crate::admin::{self, Admin};
use crate::client_port::millis;
use crate::server::{Far, Server};
use crate::status_page;

/// Answers a request, but for calls (see [`decide`]). [`Request::Authenticate`] and [`Request::Shutdown`] concern the
/// connection and are answered there.
pub(crate) async fn answer(server: Arc<Server>, admin: Admin, from: Far, request: Request) -> Reply {
    match request {
        Request::OpenSession { token, identity } => {
            propose(&server, Command::OpenSession { token, identity }).await
        }
        Request::CloseSession { session, token } => {
            propose(&server, Command::CloseSession { session, token }).await
        }
        Request::Heartbeat { session, token } => heartbeat(&server, session, token).await,
        Request::Recall { session, token, request } => match server.node.read().await {
            Ok(state) => Reply::Recalled(match state.recall(session, &token, request) {
                Recalled::Answered(answer) => Recollection::Answered(answer),
                Recalled::NotSeen => Recollection::NotSeen,
                Recalled::Forgotten => Recollection::Forgotten,
                Recalled::NoSession => Recollection::NoSession,
            }),
            Err(problem) => propose_error(&server, problem),
        },
        Request::Status { filter, after } => {
            let threads = server.other_threads.clone();
            // A page can be large.
            let page = async move { status_page::make(&server, &filter, after) };
            match threads {
                None => Reply::Status(Box::new(page.await)),
                Some(threads) => match threads.spawn(page).await {
                    Ok(page) => Reply::Status(Box::new(page)),
                    Err(stopped) => Reply::Unknown(stopped.to_string()),
                },
            }
        }
        Request::Reread => match admin.check(&server, "reread", from) {
            Ok(()) => admin::reread(&server).await,
            Err(refusal) => refusal,
        },
        Request::Call { .. } | Request::Authenticate { .. } | Request::Shutdown { .. } => {
            Reply::Error("this request is answered by the connection itself".to_owned())
        }
    }
}

/// Whether the connection has the rights for a [`Request::Call`]; the answer if not.
pub(crate) fn may_call(server: &Server, admin: &Admin, from: Far, action: &Action) -> Result<(), Reply> {
    if is_administrative(action) { admin.check(server, word(action), from) } else { Ok(()) }
}

/// Answers a [`Request::Call`] that [`may_call`].
pub(crate) async fn decide(server: Arc<Server>, call: Call) -> Reply {
    let (session, token) = (call.session, call.token);
    let reply = propose(&server, Command::Call(call)).await;
    if is_sign_of_life(&server, session, &token, &reply) {
        server.node.touch(session);
    }
    reply
}

fn word(action: &Action) -> &'static str {
    match action {
        Action::Checkout { .. } => "checkout",
        Action::Checkin { .. } => "checkin",
        Action::Remove(_) => "remove",
        Action::Maintain { .. } => "maintenance",
        Action::PreferMaster { .. } => "failover",
    }
}

async fn propose(server: &Server, command: Command) -> Reply {
    // Before its very first `Install` a triad serves nobody: "no license" would be an answer, and a wrong one.
    if !server.is_licensed() {
        return Reply::NotMaster(server.standing());
    }
    match server.node.propose(command).await {
        Ok(answer) => Reply::Answer(answer),
        Err(problem) => propose_error(server, problem),
    }
}

/// Whether a request came from its session. The decision says so; without one the state does, and asking it would keep
/// whoever changes it waiting.
fn is_sign_of_life(server: &Server, session: SessionId, token: &Token, reply: &Reply) -> bool {
    match reply {
        Reply::Answer(answer) => !matches!(
            answer.outcome,
            Outcome::Denied(Denial::UnknownSession { .. } | Denial::WrongToken { .. })
        ),
        _ => server.node.look(|state| state.session_matches(session, token)),
    }
}

/// A sign of life. Only a serving master may judge it; it keeps the moment in memory and writes nothing.
async fn heartbeat(server: &Server, session: SessionId, token: Token) -> Reply {
    if is_known(server, session, &token) {
        return alive(server, session);
    }
    if !server.node.serves() {
        return propose_error(
            server,
            ProposeError::NotMaster { master: server.node.mastership().borrow().master },
        );
    }
    // "Gone" makes a client give up its seats, so it is said only of what is gone for certain.
    match server.node.read().await {
        Ok(state) if state.session_matches(session, &token) => alive(server, session),
        Ok(_) => Reply::Gone,
        Err(problem) => propose_error(server, problem),
    }
}

/// Whether this is a master that knows the session, so that a heartbeat needs nobody else.
pub(crate) fn is_known(server: &Server, session: SessionId, token: &Token) -> bool {
    server.node.serves() && server.node.look(|state| state.session_matches(session, token))
}

/// The answer to a heartbeat.
pub(crate) fn alive(server: &Server, session: SessionId) -> Reply {
    server.node.touch(session);
    Reply::Alive {
        index: server.node.look(|state| state.last_index()),
        heartbeat_ms: millis(server.node.session_heartbeat()),
    }
}

/// What a client is told when the node gave no answer.
pub(crate) fn propose_error(server: &Server, problem: ProposeError) -> Reply {
    match problem {
        ProposeError::NotMaster { master } => Reply::NotMaster(Standing {
            role: server.role,
            // A server that has just refused does not send the client to itself.
            master: master.filter(|master| *master != server.role).map(|role| server.master_address(role)),
        }),
        ProposeError::Busy { retry_after_ms } => Reply::Busy { retry_after_ms },
        ProposeError::TooLarge { .. } => Reply::Error(problem.to_string()),
        ProposeError::Unknown(why) => Reply::Unknown(why),
        ProposeError::Stopped(_) => Reply::NotMaster(Standing { role: server.role, master: None }),
    }
}
