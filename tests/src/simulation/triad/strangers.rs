//! Strangers: who has no rights and asks for what needs some, straight or through a standby, and who names sessions whose secret
//! it does not know. All of that is refused by every server in every state of the triad, and nothing of it is done: had it been,
//! the claims of clients and operators would say so too.

use std::sync::Arc;
use std::time::Duration;

use licensing_client::protocol::{Recollection, Reply, Request, Upgrade};
use licensing_client::{Client, Direct};
use licensing_core::command::{Action, Removal};
use licensing_core::id::{Handle, RequestId, Role, SessionId, Token};
use licensing_core::outcome::{Denial, Outcome};
use tokio::time::{sleep, timeout};

use super::dialing::{Dialing, STRANGER, listens_at};
use super::licenses;
use super::names::{claim, seen};
use super::overheard::Sniffed;
use super::parts::Triad;
use crate::simulation::network::End;
use crate::simulation::nodes::client::{Tokens, Way, config_of};
use crate::simulation::random::Stream;
use crate::simulation::service::Site;

/// Whoever is not let in by then tries again later.
const PATIENCE: Duration = Duration::from_secs(8);

/// Higher than any number that a client has come to.
const UNUSED: RequestId = RequestId(1 << 40);

/// Asks for as long as there is trouble.
pub(super) async fn work(site: &Arc<Site<Triad>>) {
    let random = site.random("strangers");
    for visit in 0.. {
        sleep(random.between_us(100_000, 1_500_000)).await;
        let roles = site.service.kind.roles();
        let role = roles[random.below(roles.len() as u64) as usize];
        match random.below(3) {
            0 => names_a_session(site, &random, role).await,
            1 => asks_a_server(site, &random, role).await,
            _ => {
                // It may wait for a master all that time.
                let _ = timeout(PATIENCE, asks_as_a_client(site, &random, role, visit)).await;
            }
        }
    }
}

fn way(site: &Site<Triad>) -> Dialing {
    let way = Way { network: site.network.clone(), from: End::Client(STRANGER) };
    Dialing::new(way, Sniffed::default())
}

/// Says that it is a client that somebody else is.
async fn names_a_session(site: &Site<Triad>, random: &Stream, role: Role) {
    let Some((Request::Call { session, token, .. }, _)) = site.service.duplicates.any(random) else { return };
    let Ok(mut direct) = Direct::connect(&listens_at(role), &way(site)).await else { return };
    let mut wrong = token;
    wrong.0[random.below(16) as usize] ^= 1 << random.below(8);
    let request = with_token(site, random, session, wrong);
    let asked = format!("{request:?}");
    let Ok(reply) = direct.request(request).await else { return };
    match reply {
        Reply::Answer(answer) if is_unknown_to_it(&answer.outcome) => site.count(seen::WRONG_TOKEN),
        Reply::Gone | Reply::Recalled(Recollection::NoSession) => site.count(seen::WRONG_TOKEN),
        Reply::NotMaster(_) | Reply::Unknown(_) | Reply::Busy { .. } | Reply::Error(_) => {}
        other => site.fail(claim::STRANGERS_GET_NOTHING, format!("the {role}: {asked}: {other:?}")),
    }
}

fn is_unknown_to_it(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Denied(Denial::WrongToken { .. } | Denial::UnknownSession { .. }))
}

fn with_token(site: &Site<Triad>, random: &Stream, session: SessionId, token: Token) -> Request {
    match random.below(4) {
        0 => Request::Heartbeat { session, token },
        1 => Request::Recall { session, token, request: UNUSED },
        2 => Request::CloseSession { session, token },
        _ => {
            let handle = held_by(site, session).unwrap_or_default();
            let action = Action::Checkin { handle, owner: None };
            Request::Call { session, token, request: UNUSED, acknowledged: RequestId(0), action }
        }
    }
}

/// A checkout of this session, or of anybody.
fn held_by(site: &Site<Triad>, session: SessionId) -> Option<Handle> {
    let server = site.servers().into_iter().flatten().next()?;
    server.node().look(|state| {
        let own = state.checkouts().find(|checkout| checkout.keeper.session() == Some(session));
        own.or_else(|| state.checkouts().next()).map(|checkout| checkout.handle)
    })
}

/// Asks a server for what administrators may, without proving to be one.
async fn asks_a_server(site: &Site<Triad>, random: &Stream, role: Role) {
    let Ok(mut direct) = Direct::connect(&listens_at(role), &way(site)).await else { return };
    let request = match random.below(4) {
        0 => Request::Shutdown { hand_over: true },
        1 => Request::Reread,
        2 => Request::Upgrade(if random.chance(50) { Upgrade::Hold } else { Upgrade::Finish }),
        _ => Request::VendorData { after: None },
    };
    let asked = format!("{request:?}");
    // A guess at the key does not help.
    let guess = Request::Authenticate { proof: random.bytes() };
    if random.chance(50) && !matches!(direct.request(guess).await, Ok(Reply::Error(_))) {
        return;
    }
    match direct.request(request).await {
        Ok(Reply::Error(_)) => site.count(seen::NO_RIGHTS),
        Ok(Reply::NotMaster(_) | Reply::Unknown(_) | Reply::Busy { .. }) | Err(_) => {}
        Ok(other) => site.fail(claim::STRANGERS_GET_NOTHING, format!("the {role}: {asked}: {other:?}")),
    }
}

/// Has a session, as anybody may have, and asks for what operators may. A standby that passes this on is at the master's machine as
/// far as the master can see, the stranger is not.
async fn asks_as_a_client(site: &Site<Triad>, random: &Stream, role: Role, visit: u32) {
    let tokens = Tokens(site.random(&format!("secrets of stranger {visit}")));
    let mut config = config_of(STRANGER, licenses::search_path(site.service.kind));
    let is_balanced = site.service.kind.roles().len() > 1 && random.chance(60);
    config.relay = is_balanced;
    let dial = if is_balanced { way(site).balanced(role) } else { way(site) };
    let Ok(client) = Client::connect_with(config, Arc::new(dial), &tokens).await else { return };
    let action = match random.below(3) {
        0 => Action::Remove(Removal::Handle(held_by(site, client.session()).unwrap_or_default())),
        1 => Action::PreferMaster { role: Some(Role::Secondary) },
        _ => Action::Maintain { role: Role::Primary, on: true },
    };
    let asked = format!("{action:?}");
    match client.call(action).await {
        Ok(answer) if !matches!(answer.outcome, Outcome::Denied(_)) => {
            site.fail(claim::STRANGERS_GET_NOTHING, format!("{asked}: {answer:?}"));
        }
        Ok(_) | Err(_) => site.count(if is_balanced { seen::NO_RIGHTS_BEHIND } else { seen::NO_RIGHTS }),
    }
    let _ = client.close().await;
}
