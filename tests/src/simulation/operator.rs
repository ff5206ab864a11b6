//! The operator of a simulated triad: asks for another master, puts servers into maintenance, takes seats away,
//! installs license files; over the same port as everybody, with the rights of somebody at the machine.

use std::sync::Arc;
use std::time::Duration;

use crate::compiled;
use futures_util::future::join_all;
use licensing_client::{Client, ClientConfig};
use licensing_core::command::{Action, Command, Removal};
use licensing_core::id::{Handle, Role};
use licensing_core::outcome::{Answer, Denial, Outcome};
use licensing_raft::ProposeError;
use tokio::time::sleep;

use super::dialing::{Dialing, Tokens};
use super::duplicates::Sniffed;
use super::network::End;
use super::random::Stream;
use super::service::Site;
use super::triad::{Triad, license, search_path, seen};
use crate::history::{Kind, Told};
use crate::workload::told;

/// The operator's number among the clients.
pub(super) const NUMBER: u32 = 999_999;

/// Works for as long as there is trouble.
pub(super) async fn work(site: &Arc<Site<Triad>>) {
    let random = site.random("operator");
    let client = connect(site, "first secrets of the operator").await;
    loop {
        sleep(random.between_us(500_000, 5_000_000)).await;
        match random.below(100) {
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
            _ => {
                site.count(seen::REREAD);
                let text = license(1 + random.below(5) as u32);
                let master = Role::ALL.into_iter().filter_map(|role| site.awake(role));
                let master = master.into_iter().find(|server| server.node().serves());
                if let Some(master) = master {
                    let node = master.node().clone();
                    // Without a definite answer the operator looks again later.
                    let _ = node.install(compiled(&text)).await;
                }
            }
        }
    }
}

/// Leaves the choice of a master to the rules, and no server in maintenance.
pub(super) async fn undo(site: &Site<Triad>) {
    let client = connect(site, "second secrets of the operator").await;
    for role in Role::ALL {
        ask(site, &client, Action::Maintain { role, on: false }).await;
    }
    ask(site, &client, Action::PreferMaster { role: None }).await;
}

async fn connect(site: &Site<Triad>, secrets: &str) -> Client {
    // What operators do is not repeated behind their back.
    let dial = Dialing::new(site.network.clone(), End::Client(NUMBER), Sniffed::default());
    let config = ClientConfig::new(search_path());
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
    let serving = Role::ALL.into_iter().filter_map(|role| site.awake(role));
    let Some(master) = serving.into_iter().find(|server| server.node().serves()) else { return };
    let node = master.node().clone();
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
