//! What a reread of a very long license costs those who work meanwhile: how long it takes, and how long the slowest answer
//! to a client took in it, beside the slowest of a quiet while before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use licensing_client::protocol::{Reply, Request};
use licensing_client::{Client, Direct, TcpDial};
use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::show::targets::Target;
use crate::work::triad::{close_all, connect_all, feature_name};

/// How long a reread may take that has to read, lay out, replicate and install all of it, in seconds.
const LONGEST_S: f64 = 2.0;

/// How much later than the slowest of the quiet while an answer may come, in ms.
const LATEST_MS: f64 = 20.0;

/// How long is waited for the answer before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Lines of the license that is read.
    pub lines: usize,
    /// Clients that take and return a seat meanwhile, one request after the other.
    pub clients: usize,
    /// Features the clients use; they are in both licenses.
    pub features: usize,
    /// How long the quiet while is.
    pub quiet: Duration,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct RereadReport {
    /// Lines of the license that was read.
    pub lines: usize,
    /// Clients that worked meanwhile.
    pub clients: usize,
    /// From the request to its answer.
    pub reread_ms: u64,
    /// The slowest answer in the quiet while before, in microseconds.
    pub quiet_max_us: u64,
    /// The slowest answer that was under way in the reread, in microseconds.
    pub reread_max_us: u64,
    /// Answers in the reread.
    pub answers: usize,
    /// Whether the same server was master before and after, without a break that a client saw.
    pub master_stayed: bool,
    /// Requests without a favourable answer.
    pub errors: u64,
    /// What was aimed at.
    pub targets: Vec<Target>,
}

/// One answer of the loop.
struct Answered {
    asked: Instant,
    after: Duration,
}

/// Measures on a triad whose primary is master.
pub async fn run(plan: &Plan, triad: &LocalTriad) -> anyhow::Result<RereadReport> {
    let clients = connect_all(&triad.search_path(), plan.clients).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut working = JoinSet::new();
    for (number, client) in clients.iter().cloned().enumerate() {
        working.spawn(work(client, feature_name(number % plan.features), stop.clone()));
    }
    // Half of the quiet while warms up.
    sleep(plan.quiet / 2).await;
    let quiet = Instant::now();
    sleep(plan.quiet).await;
    triad.write_license(&license(plan))?;
    let begun = Instant::now();
    let words = reread(triad).await?;
    let ended = Instant::now();
    // Whatever it left to do is felt here.
    sleep(plan.quiet / 2).await;
    stop.store(true, Ordering::Relaxed);
    let (mut answers, mut errors) = (Vec::new(), 0);
    while let Some(worked) = working.join_next().await {
        let (answered, failed) = worked?;
        answers.extend(answered);
        errors += failed;
    }
    if !words.contains("new, 1 seat") {
        bail!("the reread changed nothing: {words}");
    }
    // Each time it becomes master it says so once.
    let became = triad.log(Role::Primary).matches("CONNECTED, master is").count();
    let master_stayed = triad.master().await == Some(Role::Primary) && became == 1;
    close_all(clients).await;
    let slowest = |from: Instant, until: Instant| {
        let under_way = answers.iter().filter(|one| one.asked + one.after >= from && one.asked <= until);
        under_way.map(|one| one.after).max().unwrap_or_default()
    };
    let (quiet_max, reread_max) = (slowest(quiet, begun), slowest(begun, ended));
    let during = |one: &&Answered| one.asked >= begun && one.asked <= ended;
    let took = ended - begun;
    let later = reread_max.saturating_sub(quiet_max);
    let targets = vec![
        Target::at_most("reread_s", took.as_secs_f64(), LONGEST_S),
        Target::at_most("later_than_before_ms", later.as_secs_f64() * 1000.0, LATEST_MS),
    ];
    Ok(RereadReport {
        lines: plan.lines,
        clients: plan.clients,
        reread_ms: u64::try_from(took.as_millis())?,
        quiet_max_us: u64::try_from(quiet_max.as_micros())?,
        reread_max_us: u64::try_from(reread_max.as_micros())?,
        answers: answers.iter().filter(during).count(),
        master_stayed,
        errors,
        targets,
    })
}

/// Takes a seat and gives it back until told to stop; every answer, and how many were none.
async fn work(client: Client, feature: String, stop: Arc<AtomicBool>) -> (Vec<Answered>, u64) {
    let (mut answers, mut errors) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let seat = client.checkout(&feature).await;
        answers.push(Answered { asked, after: asked.elapsed() });
        let Ok(seat) = seat else {
            errors += 1;
            continue;
        };
        let asked = Instant::now();
        errors += u64::from(seat.checkin().await.is_err());
        answers.push(Answered { asked, after: asked.elapsed() });
    }
    (answers, errors)
}

/// The features the clients use, and as many others as it takes.
fn license(plan: &Plan) -> String {
    let mut text = String::with_capacity(plan.lines * 120);
    for number in 0..plan.lines {
        let name = if number < plan.features { feature_name(number) } else { format!("module_{number}") };
        let seats = if number < plan.features { plan.clients } else { 1 };
        text.push_str(&format!(
            "FEATURE {name} demo 1.0 31-dec-2099 {seats} VENDOR_STRING=site ISSUED=01-jan-2026 SIGN=\"{number:016X}\"\n"
        ));
    }
    text
}

async fn reread(triad: &LocalTriad) -> anyhow::Result<String> {
    let direct =
        Direct::connect(&triad.address(Role::Primary), &TcpDial).await.context("no administrator")?;
    let mut direct = direct.with_answer_limit(PATIENCE);
    match direct.request(Request::Reread).await? {
        Reply::Done(words) => Ok(words),
        other => bail!("the reread was answered with {other:?}"),
    }
}
