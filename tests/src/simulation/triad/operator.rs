//! The operator of a simulated triad: asks for another master, puts servers into maintenance, takes seats away,
//! installs license files; over the same port as everybody, with the rights of somebody at the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::compiled;
use futures_util::future::join_all;
use licensing_client::{Client, ClientConfig};
use licensing_core::command::{Action, Command, Removal};
use licensing_core::id::{Handle, Role};
use licensing_core::outcome::{Answer, Denial, Outcome};
use licensing_raft::ProposeError;
use tokio::time::sleep;

use super::claims::seen;
use super::dialing::{Dialing, Tokens};
use super::overheard::Sniffed;
use super::place::{OPERATOR, license, other_license, search_path};
use super::server::Server;
use crate::history::{Kind, Told};
use crate::simulation::network::End;
use crate::simulation::random::Stream;
use crate::simulation::service::{Service, Site};
use crate::workload::told;

/// Whether the license of the second vendor is served for certain.
#[derive(Debug, Default)]
pub(super) struct Served(AtomicBool);

impl Served {
    pub(super) fn is_both(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn both(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Works for as long as there is trouble.
pub(super) async fn work<S: Service<Server = Server>>(site: &Site<S>, served: &Served) {
    let random = site.random("operator");
    let client = connect(site, "first secrets of the operator").await;
    // A single server has nobody to hand over to.
    let is_triad = site.roles().len() > 1;
    loop {
        sleep(random.between_us(500_000, 5_000_000)).await;
        match random.below(100) {
            0..25 if is_triad => {
                site.count(seen::PREFERENCE);
                let role = [None, Some(Role::Primary), Some(Role::Secondary)][random.below(3) as usize];
                ask(site, &client, Action::PreferMaster { role }).await;
            }
            25..45 if is_triad => {
                site.count(seen::MAINTENANCE);
                let role = site.roles()[random.below(3) as usize % site.roles().len()];
                ask(site, &client, Action::Maintain { role, on: true }).await;
                sleep(random.between_us(200_000, 3_000_000)).await;
                ask(site, &client, Action::Maintain { role, on: false }).await;
            }
            45..72 => remove(site, &random, &client).await,
            72..76 => flood(site).await,
            76..86 => edition(site, &random).await,
            86..92 => install_other(site, served).await,
            _ => {
                site.count(seen::REREAD);
                let text = license(site.roles(), 1 + random.below(5) as u32);
                if let Some(master) = master(site) {
                    // Without a definite answer the operator looks again later.
                    let _ = master.node().install(compiled(&text)).await;
                }
            }
        }
    }
}

/// Leaves the choice of a master to the rules, no server in maintenance, and no edition held.
pub(super) async fn undo<S: Service<Server = Server>>(site: &Site<S>) {
    release(site).await;
    if site.roles().len() == 1 {
        return;
    }
    let client = connect(site, "second secrets of the operator").await;
    for role in site.roles().iter().copied() {
        ask(site, &client, Action::Maintain { role, on: false }).await;
    }
    ask(site, &client, Action::PreferMaster { role: None }).await;
}

async fn connect<S: Service<Server = Server>>(site: &Site<S>, secrets: &str) -> Client {
    // What operators do is not repeated behind their back.
    let dial = Dialing::new(site.network.clone(), End::Client(OPERATOR), Sniffed::default());
    let config = ClientConfig::new(search_path(site.roles()));
    loop {
        let tokens = Tokens(site.random(secrets));
        match Client::connect_with(config.clone(), Arc::new(dial.clone()), &tokens).await {
            Ok(client) => return client,
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

async fn ask<S: Service<Server = Server>>(site: &Site<S>, client: &Client, action: Action) {
    let asked = format!("{action:?}");
    match client.call(action).await {
        Ok(Answer { outcome: Outcome::Preferred { .. } | Outcome::Maintained { .. }, .. }) | Err(_) => {}
        Ok(other) => site.fail("an operator's request is done", format!("{asked}: {other:?}")),
    }
}

/// Far more questions at once than a node takes: most are answered, the rest hear "busy", nobody waits for ever.
async fn flood<S: Service<Server = Server>>(site: &Site<S>) {
    /// What a node takes is 8,192.
    const QUESTIONS: usize = 9_000;
    let Some(master) = master(site) else { return };
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

/// Whoever serves.
fn master<S: Service<Server = Server>>(site: &Site<S>) -> Option<Server> {
    let serving = site.roles().iter().filter_map(|role| site.awake(*role));
    serving.into_iter().find(|server| server.node().serves())
}

/// Holds a newer edition of the rules, lets it go, or asks for it at once.
async fn edition<S: Service<Server = Server>>(site: &Site<S>, random: &Stream) {
    let Some(master) = master(site) else { return };
    let node = master.node().clone();
    match random.below(4) {
        0 => {
            site.count(seen::HOLD);
            let _ = node.propose(Command::HoldEdition { on: true }).await;
        }
        1 => {
            // Whatever it says: too early, or done.
            let _ = node.finish_upgrade().await;
        }
        _ => {
            let _ = node.propose(Command::HoldEdition { on: false }).await;
        }
    }
}

/// Lets a newer edition apply, however often that must be asked for.
async fn release<S: Service<Server = Server>>(site: &Site<S>) {
    loop {
        if let Some(master) = master(site)
            && master.node().propose(Command::HoldEdition { on: false }).await.is_ok()
        {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Installs the license of a second vendor beside the first. Clients may ask for its feature once that is answered.
async fn install_other<S: Service<Server = Server>>(site: &Site<S>, served: &Served) {
    let Some(master) = master(site) else { return };
    let text = other_license(site.roles());
    match master.node().install(compiled(&text)).await.map(|answer| answer.outcome) {
        Ok(Outcome::Installed { .. }) => {
            site.count(seen::SECOND_VENDOR);
            served.both();
        }
        Ok(Outcome::Denied(Denial::BadLicense { problems })) if problems.contains("edition 2") => {
            site.count(seen::TOO_EARLY);
            if served.is_both() {
                site.fail("what was installed can be installed again", problems);
            }
        }
        Ok(other) => site.fail("a second vendor is installed or has to wait", format!("{other:?}")),
        // Without a definite answer the operator looks again later.
        Err(_) => {}
    }
}

/// Takes a seat from somebody.
async fn remove<S: Service<Server = Server>>(site: &Site<S>, random: &Stream, client: &Client) {
    let servers = site.servers();
    let handles: Vec<Handle> = servers.iter().flatten().next().map_or_else(Vec::new, |server| {
        server.node().look(|state| state.checkouts().map(|checkout| checkout.handle).collect())
    });
    if handles.is_empty() {
        return;
    }
    let handle = handles[random.below(handles.len() as u64) as usize];
    site.count(seen::REMOVAL);
    let asked = site.recorder.invoke(OPERATOR, Kind::Remove { handle });
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
