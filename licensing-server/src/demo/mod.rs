//! The showcase: three real servers, clients that hold and take seats, a killed master, and nobody loses a seat.
//!
//! What is counted is counted by the clients. `lost`: seats a client holds that the servers do not know. `double`:
//! seats the servers count that no client holds, and every moment at which the clients together held more than was
//! licensed.

mod audit;
mod error;
mod office;
mod single;
mod summary;

use std::path::PathBuf;

use licensing_core::counted;
use licensing_core::id::Role;
use tokio::time::{Instant, sleep};

pub use error::DemoError;
pub use single::show_single;
pub use summary::Summary;

use audit::{audit, status};
use office::{HELD_EACH, LICENSED, Office, SPARE, USERS};

use summary::{CALM, millis};

use crate::local_triad::{LocalTriad, TriadOptions};

/// Shows it, with servers of this program. `tell` gets one line after the other.
pub async fn show(program: PathBuf, tell: impl Fn(String)) -> Result<Summary, DemoError> {
    let options = TriadOptions {
        features: format!("FEATURE cad demo 1.0 permanent {LICENSED} SIGN=0\n"),
        ..TriadOptions::default()
    };
    let mut triad = LocalTriad::start(program, options).await?;
    let addresses = Role::ALL.map(|role| format!("{role} on port {}", triad.address(role).port));
    tell(format!("         three servers: {}", addresses.join(", ")));
    let clock = Instant::now();
    let say = |text: String| tell(format!("{:6.2} s {text}", clock.elapsed().as_secs_f64()));

    triad.wait_until_master(Role::Primary).await?;
    say(format!("the primary is master, {LICENSED} seats of `cad` are licensed"));
    let office = Office::open(triad.search_path()).await?;
    say(format!("{} clients hold {HELD_EACH} seats each and compete for the other {SPARE}", USERS.len()));
    sleep(CALM).await;

    let killed = Instant::now();
    triad.kill(Role::Primary);
    say("the primary is killed (SIGKILL), in the middle of it".to_owned());
    triad.wait_until_master(Role::Secondary).await?;
    let first = office.wait_for_grant_after(killed).await;
    let mut summary = Summary { failover_ms: millis(first - killed), ..Summary::default() };
    say(format!(
        "the secondary is master, and grants the next seat {} ms after the kill",
        summary.failover_ms
    ));
    let found = audit(&triad, Role::Secondary, &office).await?;
    summary.add(&found);
    say(found.words());
    say(format!(
        "what a client noticed: at worst one answer took {} ms",
        millis(office.longest_wait(killed))
    ));
    sleep(CALM).await;

    let restarted = Instant::now();
    triad.restart(Role::Primary).await?;
    say("the primary is started again, and catches up".to_owned());
    triad.wait_until_master(Role::Primary).await?;
    say("the primary is master again, because the license file says PRIMARY_IS_MASTER".to_owned());
    sleep(CALM).await;
    summary.handback_ms = millis(office.longest_wait(restarted));
    let found = audit(&triad, Role::Primary, &office).await?;
    summary.add(&found);
    say(found.words());
    say(format!("what a client noticed: at worst one answer took {} ms", summary.handback_ms));

    let work = office.close().await?;
    summary.requests = work.requests;
    summary.errors = work.errors;
    summary.double += work.beyond_license;
    let page = status(&triad, Role::Primary).await?;
    summary.double += page.checkouts.len() as u64;
    say(format!("all clients are gone, {} in use", counted(page.checkouts.len() as u64, "seat")));
    tell(summary.words());
    Ok(summary)
}
