//! The failover, again and again: the master goes away in the middle of the load and comes back, and every client notes
//! how long it waited for an answer.
//!
//! One round: an undisturbed window, whose longest gap is what this machine does to clients by itself; the blow, and
//! the longest gap around it; the return, and the longest gap around that. A window ends when the new master serves,
//! every client has had an answer since, and a moment has passed in which a stumble would show.

use anyhow::Context;
use clap::ValueEnum;
use licensing_client::Client;
use licensing_core::command::Action;
use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::measure::gaps::Distribution;
use crate::measure::probe::DiskProbe;
use crate::measure::trace::{Recording, Trace};
use crate::rivals::failover::RivalFailover;
use crate::show::output::{talk, words};
use crate::work::crowd::{CALM, Crowd, QUIET, Windows};
use crate::work::seats::TriadSeats;
use crate::work::triad::{connect, connect_all};

/// How the master goes away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum How {
    /// SIGKILL, then started again
    #[default]
    Kill,
    /// SIGTERM, then started again
    Stop,
    /// An administrator wants the secondary, then leaves it to the rules again
    Handover,
    /// SIGSTOP, then SIGCONT
    Pause,
}

impl How {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            How::Kill => "kill",
            How::Stop => "stop",
            How::Handover => "handover",
            How::Pause => "pause",
        }
    }
}

/// What came out; the names are those of the JSON line. Of each round the gap of the client that waited longest counts.
#[derive(Debug, Clone, Serialize)]
pub struct FailoverReport {
    /// While the secondary took over.
    pub failover_ms: Distribution,
    /// While the primary took over again.
    pub handback_ms: Distribution,
    /// Requests that got no definite answer, or a denial.
    pub errors: u64,
    /// As asked for.
    pub rounds: usize,
    /// The same in undisturbed windows: what lies below this is the machine, not the triad.
    pub quiet_ms: Distribution,
    /// As asked for.
    pub clients: usize,
    /// As asked for.
    pub how: &'static str,
    /// As asked for.
    pub profile: &'static str,
    /// Of the rival whose leader was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rival: Option<RivalFailover>,
}

/// The windows of all rounds.
#[derive(Debug, Default)]
pub struct Observed {
    /// Undisturbed.
    pub quiet: Windows,
    /// The secondary takes over.
    pub failover: Windows,
    /// The primary takes over again.
    pub handback: Windows,
    /// Requests without a definite answer, or with a denial.
    pub errors: u64,
    /// Of each round, when it was asked for.
    pub traces: Vec<Trace>,
}

/// Plays the rounds. A line for each goes to stderr. `traced`: what every client saw in each round is kept.
pub async fn run(
    triad: &mut LocalTriad,
    how: How,
    rounds: usize,
    clients: usize,
    traced: bool,
) -> anyhow::Result<Observed> {
    let servers = triad.search_path();
    let administrator = connect(servers.clone(), clients).await?;
    let seats = TriadSeats::of(&connect_all(&servers, clients).await?, &servers, 1);
    let mut crowd = Crowd::gather(seats, DiskProbe::start(triad.directory())?);
    let mut observed = Observed::default();
    for round in 1..=rounds {
        sleep(CALM).await;
        let mut trace = traced.then(|| Recording::begin(&crowd));
        let mut mark = |what: &str| trace.iter_mut().for_each(|trace| trace.mark(what));
        crowd.begin();
        sleep(QUIET).await;
        let quiet = crowd.window();

        let begun = Instant::now();
        crowd.begin();
        mark(how.name());
        take_away(triad, how, &administrator).await?;
        triad.wait_until_master(Role::Secondary).await?;
        mark("secondary serves");
        let failover_took = begun.elapsed();
        crowd.settle().await?;
        let failover = crowd.window();
        sleep(CALM).await;

        let begun = Instant::now();
        crowd.begin();
        mark("primary returns");
        bring_back(triad, how, &administrator).await?;
        triad.wait_until_master(Role::Primary).await?;
        mark("primary serves");
        let handback_took = begun.elapsed();
        crowd.settle().await?;
        let handback = crowd.window();

        let errors = crowd.errors();
        talk(format_args!(
            "round {round:3}: {failover} (served after {:>8}); back {handback} (served after {:>8}); quiet {quiet}; \
             {errors} errors",
            words(failover_took),
            words(handback_took),
        ));
        observed.traces.extend(trace.map(|trace| trace.end(&crowd, failover.longest())));
        observed.quiet.push(quiet);
        observed.failover.push(failover);
        observed.handback.push(handback);
    }
    observed.errors = crowd.disperse().await;
    // The servers end with the triad, and the session with them.
    drop(administrator);
    Ok(observed)
}

async fn take_away(triad: &mut LocalTriad, how: How, administrator: &Client) -> anyhow::Result<()> {
    match how {
        How::Kill => triad.kill(Role::Primary),
        How::Stop => drop(triad.stop(Role::Primary).await?),
        How::Handover => prefer(administrator, Some(Role::Secondary)).await?,
        How::Pause => triad.pause(Role::Primary)?,
    }
    Ok(())
}

async fn bring_back(triad: &mut LocalTriad, how: How, administrator: &Client) -> anyhow::Result<()> {
    match how {
        How::Kill | How::Stop => triad.restart(Role::Primary).await?,
        How::Handover => prefer(administrator, None).await?,
        How::Pause => triad.resume(Role::Primary)?,
    }
    Ok(())
}

async fn prefer(administrator: &Client, role: Option<Role>) -> anyhow::Result<()> {
    administrator.call(Action::PreferMaster { role }).await.context("cannot choose the master")?;
    Ok(())
}
