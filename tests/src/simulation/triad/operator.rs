//! The operator of a simulated triad: asks for another master, puts servers into maintenance, takes seats away,
//! installs license files; over the same port as everybody, with the rights of somebody at the machine.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use licensing_client::protocol::{Reply, Request, Upgrade};
use licensing_client::{Client, ClientConfig, Direct};
use licensing_core::command::{Action, Command, Removal};
use licensing_core::edition::Edition;
use licensing_core::id::{Handle, Role};
use licensing_core::outcome::{Answer, Denial, Outcome};
use licensing_raft::{Node, ProposeError};
use tokio::time::sleep;

use super::counting::count_up;
use super::dialing::{Dialing, OPERATOR as NUMBER, listens_at};
use super::licenses;
use super::names::seen;
use super::overheard::Sniffed;
use super::pages;
use super::parts::Triad;
use crate::history::{Kind, Told};
use crate::simulation::network::End;
use crate::simulation::nodes::client::{Tokens, Way};
use crate::simulation::random::Stream;
use crate::simulation::service::Site;
use crate::workload::told;
use crate::written::compiled;

/// Works for as long as there is trouble.
pub(super) async fn work(site: &Arc<Site<Triad>>) {
    let random = site.random("operator");
    let client = connect(site, "first secrets of the operator").await;
    loop {
        sleep(random.between_us(500_000, 5_000_000)).await;
        // A single server has nobody to hand over to.
        let least = if site.service.kind.roles().len() == 1 { 45 } else { 0 };
        match least + random.below(155 - least) {
            0..25 => {
                site.count(seen::PREFERENCE);
                let role = [None, Some(Role::Primary), Some(Role::Secondary)][random.below(3) as usize];
                ask(site, &client, Action::PreferMaster { role }).await;
            }
            25..45 => {
                site.count(seen::MAINTENANCE);
                let role = Role::ALL[random.below(3) as usize];
                ask(site, &client, Action::Maintain { role, on: true }).await;
                sleep(random.between_us(200_000, 3_000_000)).await;
                ask(site, &client, Action::Maintain { role, on: false }).await;
            }
            45..72 => remove(site, &random, &client).await,
            72..76 => flood(site).await,
            76..105 => drop(install_second(site).await),
            105..115 => drop(decide(site, Upgrade::Finish).await),
            115..120 => drop(decide(site, Upgrade::Hold).await),
            120..125 => drop(decide(site, Upgrade::Release).await),
            140.. => {
                let roles = site.service.kind.roles();
                pages::look(site, roles[random.below(roles.len() as u64) as usize]).await;
            }
            _ => {
                if let Some(node) = serving(site) {
                    count_up(&site.service.counting, site, &node).await;
                }
            }
        }
    }
}

/// The node that serves, if one does.
pub(super) fn serving(site: &Site<Triad>) -> Option<Node> {
    let mut servers = Role::ALL.into_iter().filter_map(|role| site.awake(role));
    Some(servers.find(|server| server.node().serves())?.node().clone())
}

/// Asks for the license of the second vendor. Whether that was granted; [`None`] when nobody knows.
async fn install_second(site: &Site<Triad>) -> Option<bool> {
    // The first of all licenses is never denied, whosever it is: that is not what is asked here.
    let node = serving(site).filter(|node| node.look(licensing_core::state::State::is_licensed))?;
    let asked = site.recorder.invoke(NUMBER, Kind::Install { vendor: licenses::SECOND.to_owned() });
    let answer = node.install(compiled(&licenses::second(site.service.kind))).await;
    let (told, done) = match answer {
        Ok(Answer { index, outcome: Outcome::Installed { .. }, .. }) => {
            (Told::Installed { index }, Some(true))
        }
        Ok(Answer { index, outcome, .. }) => {
            (Told::Denied { index, why: format!("{outcome:?}") }, Some(false))
        }
        Err(error @ ProposeError::Unknown(_)) => (Told::Unknown { why: error.to_string() }, None),
        Err(error) => (Told::NotDone { why: error.to_string() }, None),
    };
    site.recorder.complete(asked, told);
    if let Some(done) = done {
        site.count(if done { seen::SECOND } else { seen::SECOND_DENIED });
    }
    done
}

/// Decides about a newer edition of the rules, as `licensectl upgrade` does. Whether it was done.
pub(super) async fn decide(site: &Site<Triad>, act: Upgrade) -> bool {
    let serves = |role: &Role| site.awake(*role).is_some_and(|server| server.node().serves());
    let Some(master) = Role::ALL.into_iter().find(serves) else { return false };
    let dial =
        Dialing::new(Way { network: site.network.clone(), from: End::Client(NUMBER) }, Sniffed::default());
    let Ok(mut direct) = Direct::connect(&listens_at(master), &dial).await else { return false };
    match (direct.request(Request::Upgrade(act)).await, act) {
        (Ok(Reply::Done(_)), Upgrade::Finish) => site.count(seen::FINISHED),
        (Ok(Reply::Done(_)), Upgrade::Hold) => site.count(seen::HELD),
        (Ok(Reply::Done(_)), Upgrade::Release) => {}
        (Ok(Reply::Error(why)), Upgrade::Finish) if why.contains("is not there to say") => {
            site.count(seen::UNFINISHED);
            return false;
        }
        (Ok(Reply::NotMaster(_) | Reply::Unknown(_) | Reply::Busy { .. }) | Err(_), _) => return false,
        (other, _) => {
            site.fail("an operator's request is done", format!("{act:?}: {other:?}"));
            return false;
        }
    }
    true
}

/// When all servers know all rules nothing keeps the rules from being applied, and the second vendor from being served.
pub(super) async fn finish_upgrade(site: &Site<Triad>) {
    let applied = || {
        let servers = site.servers();
        let mut roles = site.service.kind.roles().iter();
        roles.all(|role| {
            let server = servers[role.place()].as_ref();
            server.is_some_and(|server| server.node().upgrade().edition == Edition::NEWEST)
        })
    };
    while !(decide(site, Upgrade::Finish).await && applied()) {
        sleep(Duration::from_millis(100)).await;
    }
    while install_second(site).await != Some(true) {
        sleep(Duration::from_millis(100)).await;
    }
}

/// Leaves the choice of a master to the rules, and no server in maintenance.
pub(super) async fn undo(site: &Site<Triad>) {
    if site.service.kind.roles().len() == 1 {
        return;
    }
    let client = connect(site, "second secrets of the operator").await;
    for role in Role::ALL {
        ask(site, &client, Action::Maintain { role, on: false }).await;
    }
    ask(site, &client, Action::PreferMaster { role: None }).await;
}

async fn connect(site: &Site<Triad>, secrets: &str) -> Client {
    // What operators do is not repeated behind their back.
    let dial =
        Dialing::new(Way { network: site.network.clone(), from: End::Client(NUMBER) }, Sniffed::default());
    let config = ClientConfig::new(licenses::search_path(site.service.kind));
    loop {
        let tokens = Tokens(site.random(secrets));
        match Client::connect_with(config.clone(), Arc::new(dial.clone()), &tokens).await {
            Ok(client) => return client,
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

async fn ask(site: &Site<Triad>, client: &Client, action: Action) {
    let asked = format!("{action:?}");
    match client.call(action).await {
        Ok(Answer { outcome: Outcome::Preferred { .. } | Outcome::Maintained { .. }, .. }) | Err(_) => {}
        Ok(other) => site.fail("an operator's request is done", format!("{asked}: {other:?}")),
    }
}

/// Far more questions at once than a node takes: most are answered, the rest hear "busy", nobody waits for ever.
async fn flood(site: &Site<Triad>) {
    /// What a node takes is 8,192.
    const QUESTIONS: usize = 9_000;
    let Some(node) = serving(site) else { return };
    let asked = join_all((0..QUESTIONS).map(|_| node.propose(Command::Tick))).await;
    let busy = asked.iter().filter(|answer| matches!(answer, Err(ProposeError::Busy { .. }))).count();
    let refused = asked.iter().filter(|answer| matches!(answer, Err(ProposeError::NotMaster { .. }))).count();
    if refused == 0 {
        site.count(seen::FLOOD);
        if busy == 0 {
            site.fail("what is more than a node takes is refused as busy", format!("{QUESTIONS} questions"));
        }
    }
}

/// Takes a seat from somebody.
async fn remove(site: &Site<Triad>, random: &Stream, client: &Client) {
    let servers = site.servers();
    let handles: Vec<Handle> = servers.iter().flatten().next().map_or_else(Vec::new, |server| {
        server.node().look(|state| state.checkouts().map(|checkout| checkout.handle).collect())
    });
    if handles.is_empty() {
        return;
    }
    let handle = handles[random.below(handles.len() as u64) as usize];
    site.count(seen::REMOVAL);
    let asked = site.recorder.invoke(NUMBER, Kind::Remove { handle });
    let answer = client.call(Action::Remove(Removal::Handle(handle))).await;
    let told = match answer {
        Ok(Answer { index, outcome: Outcome::Removed { .. }, .. }) => Told::Returned { index },
        Ok(Answer {
            index,
            outcome: Outcome::Denied(Denial::UnknownHandle { .. } | Denial::NothingToRemove { .. }),
            ..
        }) => Told::UnknownHandle { index },
        other => told(other),
    };
    site.recorder.complete(asked, told);
}
