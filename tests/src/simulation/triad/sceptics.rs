//! Clients that take a server at its word: what it says it has not done, being no master or busy, they never ask for again. So
//! nobody may ever find it done.

use std::sync::Arc;

use futures_util::future::join_all;
use licensing_client::Direct;
use licensing_client::protocol::{Reply, Request};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{RequestId, Role, Seats, SessionId, Token};
use licensing_core::outcome::{Answer, Outcome};
use tokio::time::sleep;

use super::dialing::{Dialing, SCEPTIC, listens_at};
use super::names::seen;
use super::overheard::Sniffed;
use super::parts::Triad;
use crate::simulation::network::End;
use crate::simulation::nodes::client::Way;
use crate::simulation::random::Stream;
use crate::simulation::service::Site;

/// Requests of a session: below what a session keeps answers of, so that each can be recalled.
const MOST: u64 = 48;

/// Asked at the same time, each on a connection of its own: some are under way whenever a server loses the mastership.
const AT_ONCE: u64 = 6;

/// Works for as long as there is trouble.
pub(super) async fn work(site: &Arc<Site<Triad>>) {
    let random = site.random("sceptics");
    loop {
        sleep(random.between_us(100_000, 1_000_000)).await;
        let token = Token(random.bytes()[..16].try_into().expect("sixteen bytes"));
        let Some(session) = open(site, &random, token).await else { continue };
        for first in (1..=MOST).step_by(AT_ONCE as usize) {
            let role = somebody(site, &random);
            join_all((first..first + AT_ONCE).map(|number| ask(site, role, session, token, number))).await;
            site.service.undone.look(site);
            sleep(random.between_us(1_000, 150_000)).await;
        }
        if site.service.undone.list().iter().any(|(kept, ..)| *kept == session) {
            site.count(seen::UNDONE);
        }
        // When the session has ended nobody can be asked any more, and nothing of it is left to be found.
        site.service.undone.list().retain(|(kept, ..)| kept.0 + 2_000 > session.0);
    }
}

/// Mostly whoever takes itself for the master.
fn somebody(site: &Site<Triad>, random: &Stream) -> Role {
    let roles = site.service.kind.roles();
    let serves = |role: &Role| site.awake(*role).is_some_and(|server| server.node().serves());
    let master = roles.iter().copied().find(serves).filter(|_| random.chance(80));
    master.unwrap_or(roles[random.below(roles.len() as u64) as usize])
}

async fn connect(site: &Site<Triad>, role: Role) -> Option<Direct> {
    let way = Way { network: site.network.clone(), from: End::Client(SCEPTIC) };
    Direct::connect(&listens_at(role), &Dialing::new(way, Sniffed::default())).await.ok()
}

async fn open(site: &Site<Triad>, random: &Stream, token: Token) -> Option<SessionId> {
    let mut direct = connect(site, somebody(site, random)).await?;
    let identity = Identity::new("sceptic", "cad-18");
    match direct.request(Request::OpenSession { token, identity }).await {
        Ok(Reply::Answer(Answer { outcome: Outcome::SessionOpened { session }, .. })) => Some(session),
        _ => None,
    }
}

/// Asks for what nobody licenses: a number is used for it, and no seat.
async fn ask(site: &Site<Triad>, role: Role, session: SessionId, token: Token, number: u64) {
    let Some(mut direct) = connect(site, role).await else { return };
    let (feature, version) = ("nothing".to_owned(), "1.0".to_owned());
    let action = Action::Checkout { vendor: None, feature, version, seats: Seats(1) };
    let (request, acknowledged) = (RequestId(number), RequestId(0));
    let answered = direct.request(Request::Call { session, token, request, acknowledged, action }).await;
    // Otherwise it was done, or nobody knows.
    if let Ok(Reply::NotMaster(_) | Reply::Busy { .. }) = answered {
        site.service.undone.list().push((session, token, request));
    }
}
