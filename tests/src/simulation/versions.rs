//! Servers of two versions: in the middle of all other trouble a host is given the version before, or the present one
//! again, as whoever upgrades servers one by one does, and whoever goes back.
//!
//! An older server that meets what only the present version knows must stop and say so, or not start at all. That is
//! right when and only when the servers have agreed on it ([`Service::may_stop`]), and then somebody comes and gives the
//! host the present version. Everything else that is claimed of a run holds on.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::id::Role;
use tokio::time::{Instant, sleep};

use super::random::Stream;
use super::service::{Service, Site};

/// What is counted of it.
pub mod seen {
    /// A host was given the version before.
    pub const OLDER: &str = "hosts given an older version";
    /// A host was given the present version.
    pub const NEWER: &str = "hosts given the newer version";
    /// An older server stopped by itself, because the others had agreed on what it does not know.
    pub const TOO_OLD: &str = "servers that stopped because they were too old";
    /// … or did not start for that reason.
    pub const REFUSED: &str = crate::simulation::service::REFUSED;

    /// All of them.
    pub const ALL: &[&str] = &[OLDER, NEWER, TOO_OLD, REFUSED];

    /// What does not happen to a single server: it agrees with itself.
    pub const NOT_ALONE: &[&str] = &[TOO_OLD];
}

/// Between two looks whether a server has stopped.
const LOOK: Duration = Duration::from_millis(100);

/// Decides which versions the servers begin with: all the present one, all the one before, or some of each.
pub(crate) fn begin<S: Service>(site: &Site<S>) {
    if !site.service.has_versions() {
        return;
    }
    let random = site.random("first versions");
    let percent = [0, 100, 50, 50][random.below(4) as usize];
    for role in site.service.roles() {
        site.host(*role).set_older(random.chance(percent));
    }
}

/// Changes versions of servers for as long as there is trouble.
pub(crate) async fn change<S: Service>(site: &Site<S>, until: Instant) {
    if !site.service.has_versions() {
        return;
    }
    let random = site.random("versions");
    loop {
        sleep(random.between_us(500_000, 4_000_000)).await;
        if Instant::now() >= until {
            return;
        }
        let roles = site.service.roles();
        let role = roles[random.below(roles.len() as u64) as usize];
        match random.below(100) {
            // Mostly one server, and mostly forwards.
            0..70 => {
                let (older, pause) = (random.chance(30), random.between_us(5_000, 1_000_000));
                give(site, role, Change { older, pause, ..Change::default() }, &random).await;
            }
            // Whoever knows that it did may not have heard yet that it does not any more.
            70..78 => {
                let pause = random.between_us(1_000, 100_000);
                give(site, role, Change { older: true, pause, ..Change::default() }, &random).await;
                site.service.agree(site).await;
            }
            // A new disk, and the old program.
            78..86 if site.service.can_spare_one(&site.servers()) => {
                let pause = random.between_us(5_000, 1_000_000);
                give(site, role, Change { older: true, pause, wipe: true }, &random).await;
            }
            // The whole upgrade.
            _ => upgrade_all(site, &random).await,
        }
    }
}

/// What is done to a host.
#[derive(Default)]
struct Change {
    older: bool,
    wipe: bool,
    pause: Duration,
}

/// Gives every host the present version, one after the other, the master last.
pub(crate) async fn upgrade_all<S: Service>(site: &Site<S>, random: &Stream) {
    for role in site.service.roles().iter().rev() {
        let pause = random.between_us(5_000, 500_000);
        give(site, *role, Change { pause, ..Change::default() }, random).await;
        sleep(random.between_us(1_000, 700_000)).await;
    }
}

/// Stops a server and starts it with another version. Nothing happens when it is that already, or when somebody else is
/// at the host.
async fn give<S: Service>(site: &Site<S>, role: Role, change: Change, random: &Stream) {
    let host = site.host(role);
    let Ok(_alone) = host.trouble().try_lock() else { return };
    if host.is_older() == change.older {
        return;
    }
    site.count(if change.older { seen::OLDER } else { seen::NEWER });
    // Most administrators stop a server before they replace its program; some pull the plug.
    if !change.wipe
        && random.chance(75)
        && let Some(server) = site.awake(role)
    {
        site.service.stop(&server).await;
    }
    site.crash(role).await;
    if change.wipe {
        host.wipe();
    }
    sleep(change.pause).await;
    host.set_older(change.older);
    site.start(role).await;
}

/// Gives a host the present version when its older server has stopped because of what the others have agreed on; as long
/// as the run lasts.
pub(crate) async fn tend<S: Service>(site: Arc<Site<S>>) {
    let random = site.random("too old");
    loop {
        sleep(LOOK).await;
        for role in site.service.roles() {
            let host = site.host(*role);
            let Ok(_alone) = host.trouble().try_lock() else { continue };
            if !host.is_older() || !is_down(&site, *role) {
                continue;
            }
            sleep(random.between_us(10_000, 2_000_000)).await;
            site.count(seen::NEWER);
            site.crash(*role).await;
            host.set_older(false);
            site.start(*role).await;
        }
    }
}

/// Whether a server has stopped because it is too old, or has not started for that reason.
fn is_down<S: Service>(site: &Site<S>, role: Role) -> bool {
    let Some(server) = &site.servers()[role.place()] else { return true };
    let Some(why) = site.service.failure(server) else { return false };
    let right = site.service.may_stop(site, role, &why);
    if right {
        site.count(seen::TOO_OLD);
    }
    right
}
