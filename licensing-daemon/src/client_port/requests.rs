//! What each request means: mostly a proposal to the node and the translation of its answer. The only place that tells
//! requests apart.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use licensing_client::protocol::{
    DataPlace, Place, Recollection, Reply, Request, StatusFilter, Upgrade, is_administrative,
};
use licensing_core::command::{Action, Call, Command};
use licensing_core::id::{RequestId, SessionId, Token};
use licensing_core::outcome::{Answer, Denial, Outcome};
use licensing_core::view::Recalled;
use licensing_raft::{ProposeError, UpgradeError};
use tracing::warn;

use super::replies::{alive, propose_error};
use crate::license::reread;
use crate::port::far::Far;
use crate::rights::Rights;
use crate::server::{Server, Stop};
use crate::status;

/// How a request is answered.
pub(super) enum Answering {
    /// At once.
    Now(Reply),
    /// When somebody else has been asked. A future of its own for each kind of request: one that can wait for anything
    /// takes four kilobytes.
    Later(BoxFuture<'static, Reply>),
    /// At once, and then the server stops.
    Stopping(Reply, Stop),
}

/// Begins to answer a request. `origin`: where its client is, if that is known.
pub(super) fn begin(
    server: &Arc<Server>,
    rights: &mut Rights,
    from: Far,
    origin: Option<IpAddr>,
    request: Request,
) -> Answering {
    match request {
        // Nearly all of them.
        Request::Call { session, token, request, acknowledged, action } => {
            if is_administrative(&action)
                && let Err(refusal) = rights.check(server, word(&action), from)
            {
                return Answering::Now(refusal);
            }
            later(call(server.clone(), Call { session, token, request, acknowledged, action }))
        }
        Request::Heartbeat { session, token } if is_known(server, session, &token) => {
            Answering::Now(alive(server, session))
        }
        Request::Heartbeat { session, token } => later(heartbeat(server.clone(), session, token)),
        Request::OpenSession { token, identity } => {
            later(open(server.clone(), Command::OpenSession { token, identity, address: origin }))
        }
        Request::CloseSession { session, token } => {
            later(close(server.clone(), Command::CloseSession { session, token }))
        }
        Request::Recall { session, token, request } => later(recall(server.clone(), session, token, request)),
        Request::Status { filter, after } => later(show(server.clone(), filter, after)),
        Request::Authenticate { proof } => Answering::Now(rights.authenticate(server, &proof, from)),
        Request::Reread => match rights.check(server, "reread", from) {
            Ok(()) => later(reread(server.clone())),
            Err(refusal) => Answering::Now(refusal),
        },
        Request::VendorData { after } => match rights.check(server, "vendor data", from) {
            Ok(()) => later(show_vendor_data(server.clone(), after)),
            Err(refusal) => Answering::Now(refusal),
        },
        Request::Upgrade(act) => match rights.check(server, "upgrade", from) {
            Ok(()) => later(upgrade(server.clone(), act)),
            Err(refusal) => Answering::Now(refusal),
        },
        Request::Shutdown { hand_over } => match rights.check(server, "shutdown", from) {
            Ok(()) => {
                warn!(%from, "SHUTDOWN request");
                Answering::Stopping(Reply::Done(format!("the {} stops", server.role)), Stop { hand_over })
            }
            Err(refusal) => Answering::Now(refusal),
        },
    }
}

fn later(reply: impl Future<Output = Reply> + Send + 'static) -> Answering {
    Answering::Later(reply.boxed())
}

/// What a numbered request of a session asks for.
async fn call(server: Arc<Server>, call: Call) -> Reply {
    let (session, token) = (call.session, call.token);
    let reply = propose(&server, Command::Call(call)).await;
    if is_sign_of_life(&server, session, &token, &reply) {
        server.node.touch(session);
    }
    reply
}

/// A session that was there is found again by its token, so this may be a sign of life of one that was silent.
async fn open(server: Arc<Server>, command: Command) -> Reply {
    let reply = propose(&server, command).await;
    if let Reply::Answer(Answer { outcome: Outcome::SessionOpened { session }, .. }) = &reply {
        server.node.touch(*session);
    }
    reply
}

async fn close(server: Arc<Server>, command: Command) -> Reply {
    propose(&server, command).await
}

async fn propose(server: &Server, command: Command) -> Reply {
    // Before its very first `Install` a triad serves nobody: "no license" would be an answer, and a wrong one.
    if !server.is_licensed() {
        return Reply::NotMaster(server.whereabouts());
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
async fn heartbeat(server: Arc<Server>, session: SessionId, token: Token) -> Reply {
    if is_known(&server, session, &token) {
        return alive(&server, session);
    }
    if !server.node.serves() {
        return propose_error(
            &server,
            ProposeError::NotMaster { master: server.node.mastership().borrow().master },
        );
    }
    // "Gone" makes a client give up its seats, so it is said only of what is gone for certain.
    match server.node.read().await {
        Ok(state) if state.session_matches(session, &token) => alive(&server, session),
        Ok(_) => Reply::Gone,
        Err(problem) => propose_error(&server, problem),
    }
}

/// Whether this is a master that knows the session, so that a heartbeat needs nobody else.
fn is_known(server: &Server, session: SessionId, token: &Token) -> bool {
    server.node.serves() && server.node.look(|state| state.session_matches(session, token))
}

async fn recall(server: Arc<Server>, session: SessionId, token: Token, request: RequestId) -> Reply {
    match server.node.read().await {
        Ok(state) => {
            if state.session_matches(session, &token) {
                server.node.touch(session);
            }
            Reply::Recalled(match state.recall(session, &token, request) {
                Recalled::Answered(answer) => Recollection::Answered(answer),
                Recalled::NotSeen => Recollection::NotSeen,
                Recalled::Forgotten => Recollection::Forgotten,
                Recalled::NoSession => Recollection::NoSession,
            })
        }
        Err(problem) => propose_error(&server, problem),
    }
}

/// Decides about a newer edition of the rules.
async fn upgrade(server: Arc<Server>, act: Upgrade) -> Reply {
    let hold = |on| Command::HoldEdition { on };
    let answered = match act {
        Upgrade::Finish => match server.node.finish_upgrade().await {
            Ok(answer) => Ok(answer),
            Err(UpgradeError::Propose(problem)) => Err(problem),
            Err(missing) => return Reply::Error(missing.to_string()),
        },
        Upgrade::Hold => server.node.propose(hold(true)).await,
        Upgrade::Release => server.node.propose(hold(false)).await,
    };
    match answered {
        Ok(Answer { outcome: Outcome::EditionRaised { edition }, .. }) => {
            Reply::Done(format!("edition {edition} of the rules applies"))
        }
        Ok(Answer { outcome: Outcome::EditionHeld { on: true }, .. }) => Reply::Done(
            "no newer edition of the rules applies until `licensectl upgrade --finish`".to_owned(),
        ),
        Ok(Answer { outcome: Outcome::EditionHeld { on: false }, .. }) => Reply::Done(
            "a newer edition of the rules applies once all servers have known it for a while".to_owned(),
        ),
        Ok(answer) => Reply::Answer(answer),
        Err(problem) => propose_error(&server, problem),
    }
}

async fn show(server: Arc<Server>, filter: StatusFilter, after: Option<Place>) -> Reply {
    elsewhere(&server.clone(), async move { Reply::Status(Box::new(status::page(&server, &filter, after))) })
        .await
}

async fn show_vendor_data(server: Arc<Server>, after: Option<DataPlace>) -> Reply {
    let (state, limits) = (server.node.state(), server.limits);
    elsewhere(
        &server,
        async move { Reply::VendorData(Box::new(status::vendor_data(&state, &limits, after))) },
    )
    .await
}

/// A page can be large: it is made where nobody waits for anything else.
async fn elsewhere(server: &Server, page: impl Future<Output = Reply> + Send + 'static) -> Reply {
    match &server.other_threads {
        None => page.await,
        Some(threads) => match threads.spawn(page).await {
            Ok(reply) => reply,
            Err(stopped) => Reply::Unknown(stopped.to_string()),
        },
    }
}

fn word(action: &Action) -> &'static str {
    match action {
        Action::Checkout { .. } | Action::CheckoutWith { .. } => "checkout",
        Action::Checkin { .. } => "checkin",
        Action::SetVendorData { .. } => "vendor data",
        Action::Remove(_) => "remove",
        Action::Maintain { .. } => "maintenance",
        Action::PreferMaster { .. } => "failover",
    }
}
