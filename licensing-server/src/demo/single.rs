//! The showcase of a single server: it is killed and started again, and its clients have their seats as before.

use std::path::PathBuf;

use licensing_core::counted;
use licensing_core::id::Role;
use tokio::time::{Instant, sleep};

use super::audit::{audit, status};
use super::error::DemoError;
use super::office::{HELD_EACH, LICENSED, Office, SPARE, USERS};
use super::summary::{CALM, Summary, millis};
use crate::local_triad::{LocalTriad, TriadOptions};

/// Shows it, with a server of this program. `tell` gets one line after the other. `failover_ms` of the summary is the time
/// from the SIGKILL to the first seat granted by the restarted server, `handback_ms` is 0.
pub async fn show_single(program: PathBuf, tell: impl Fn(String)) -> Result<Summary, DemoError> {
    let options = TriadOptions {
        single: true,
        features: format!("FEATURE cad demo 1.0 permanent {LICENSED} SIGN=0\n"),
        ..TriadOptions::default()
    };
    let mut server = LocalTriad::start(program, options).await?;
    tell(format!("         one server: port {}", server.address(Role::Primary).port));
    let clock = Instant::now();
    let say = |text: String| tell(format!("{:6.2} s {text}", clock.elapsed().as_secs_f64()));

    server.wait_until_master(Role::Primary).await?;
    say(format!("it serves, {LICENSED} seats of `cad` are licensed"));
    let office = Office::open(server.search_path()).await?;
    say(format!("{} clients hold {HELD_EACH} seats each and compete for the other {SPARE}", USERS.len()));
    sleep(CALM).await;

    let killed = Instant::now();
    server.kill(Role::Primary);
    say("it is killed (SIGKILL), in the middle of it, and started again".to_owned());
    server.restart(Role::Primary).await?;
    let first = office.wait_for_grant_after(killed).await;
    let mut summary = Summary { failover_ms: millis(first - killed), ..Summary::default() };
    say(format!("it grants the next seat {} ms after the kill", summary.failover_ms));
    sleep(CALM).await;
    let found = audit(&server, Role::Primary, &office).await?;
    summary.add(&found);
    say(found.words());
    say(format!(
        "what a client noticed: at worst one answer took {} ms",
        millis(office.longest_wait(killed))
    ));

    let work = office.close().await?;
    summary.requests = work.requests;
    summary.errors = work.errors;
    summary.double += work.beyond_license;
    let page = status(&server, Role::Primary).await?;
    summary.double += page.checkouts.len() as u64;
    say(format!("all clients are gone, {} in use", counted(page.checkouts.len() as u64, "seat")));
    tell(summary.words());
    Ok(summary)
}
