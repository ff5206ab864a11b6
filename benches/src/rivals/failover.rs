//! The failover of etcd: its leader is killed in the middle of the load, and every client notes how long it waited.
//!
//! The clients do what helps etcd most: all have a connection to the leader, learn of its death at once because the
//! system closes their connections, and then ask the others every few milliseconds who leads, instead of sending a
//! request to a server that would keep it. What they wait for is etcd's election and nothing else.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::etcd::{EtcdServers, program};
use super::etcd_seats::SeatKeys;
use crate::measure::gaps::Distribution;
use crate::measure::probe::DiskProbe;
use crate::measure::trace::{Recording, Trace};
use crate::show::output::{talk, words};
use crate::work::crowd::{CALM, Crowd, QUIET, Windows};

/// What came out; the names are those of the JSON line.
#[derive(Debug, Clone, Serialize)]
pub struct RivalFailover {
    /// Its name on the command line.
    pub system: &'static str,
    /// As it says itself.
    pub version: String,
    /// While another member took over.
    pub failover_ms: Distribution,
    /// The same in undisturbed windows.
    pub quiet_ms: Distribution,
    /// Requests that got no definite answer: whoever's was under way at the blow. etcd has no sessions that answer it
    /// later, so these are no fault of the measurement.
    pub unknown: u64,
    /// As asked for.
    pub rounds: usize,
    /// Our median divided by the rival's: below 1 our clients wait less.
    pub median_ratio: f64,
}

/// The windows of all rounds.
#[derive(Debug, Default)]
pub struct Observed {
    /// As it says itself.
    pub version: String,
    /// Undisturbed.
    pub quiet: Windows,
    /// Another member takes over.
    pub failover: Windows,
    /// Requests without a definite answer.
    pub unknown: u64,
    /// Of each round, when it was asked for.
    pub traces: Vec<Trace>,
}

impl Observed {
    /// Compared with ours.
    pub fn report(&self, ours: &Distribution) -> RivalFailover {
        let failover_ms = self.failover.longest();
        let ratio = if failover_ms.median > 0.0 { ours.median / failover_ms.median } else { 0.0 };
        RivalFailover {
            system: "etcd",
            version: self.version.clone(),
            failover_ms,
            quiet_ms: self.quiet.longest(),
            unknown: self.unknown,
            rounds: self.failover.count(),
            median_ratio: (ratio * 100.0).round() / 100.0,
        }
    }
}

/// Plays the rounds with three members below this directory. A line for each goes to stderr. There is no hand-back: a
/// member that returns follows.
pub async fn run(directory: &Path, rounds: usize, clients: usize, traced: bool) -> anyhow::Result<Observed> {
    let mut servers = EtcdServers::start(program().context("etcd is not installed")?, directory).await?;
    let seats = SeatKeys::of(servers.doors(), clients, 1).await?;
    let mut crowd = Crowd::gather(seats, DiskProbe::start(directory)?);
    let mut observed = Observed { version: servers.version().to_owned(), ..Observed::default() };
    for round in 1..=rounds {
        sleep(CALM).await;
        let mut trace = traced.then(|| Recording::begin(&crowd));
        let mut mark = |what: &str| trace.iter_mut().for_each(|trace| trace.mark(what));
        crowd.begin();
        sleep(QUIET).await;
        let quiet = crowd.window();

        let (leader, _) = servers.wait_for_leader().await?;
        let begun = Instant::now();
        crowd.begin();
        mark("kill");
        servers.kill(leader);
        servers.wait_for_leader().await?;
        mark("etcd: another leads");
        let failover_took = begun.elapsed();
        crowd.settle().await?;
        let failover = crowd.window();
        talk(format_args!(
            "etcd round {round:3}: {failover} (led after {:>8}); quiet {quiet}; {} without an answer",
            words(failover_took),
            crowd.errors()
        ));
        observed.traces.extend(trace.map(|trace| trace.end(&crowd, failover.longest())));
        observed.quiet.push(quiet);
        observed.failover.push(failover);
        servers.restart(leader).await?;
    }
    observed.unknown = crowd.disperse().await;
    Ok(observed)
}
