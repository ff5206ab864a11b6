//! The load: clients that check a seat out and in again, as fast as the answers come.
//!
//! A closed loop: every client waits for its answer before it asks again, so the rate is what the servers give, and a
//! stall shows as the longest latency and as fewer requests, not as a queue that grows. Every request that begins while
//! it is measured counts, also the one that is answered after the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use hdrhistogram::Histogram;
use licensing_client::SearchPath;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::show::output::talk;
use crate::work::seats::Seats;

/// A client that got no answer tries again after this long, so that a dead server is not asked a million times a second.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// How much load, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Each with one request at a time, and on a triad with a session and a connection of its own.
    pub clients: usize,
    /// Client `n` uses feature `n` modulo this.
    pub features: usize,
    /// What is measured.
    pub measured: Duration,
    /// What goes before and is not measured.
    pub warm_up: Duration,
}

/// What came out; the names are those of the JSON line.
#[derive(Debug, Clone, Serialize)]
pub struct LoadReport {
    /// Checkouts and checkins answered per second.
    pub ops_per_s: f64,
    /// Median latency of a checkout or checkin, in microseconds.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// The slowest.
    pub max_us: u64,
    /// How many were answered.
    pub ops: u64,
    /// How many were not, or with a denial.
    pub errors: u64,
    /// As planned.
    pub clients: usize,
    /// As planned.
    pub features: usize,
    /// As planned.
    pub seconds: u64,
}

/// What one client noted.
struct Tally {
    latencies_us: Histogram<u64>,
    errors: u64,
    last_problem: Option<anyhow::Error>,
}

#[derive(Clone, Copy)]
struct Schedule {
    from: Instant,
    until: Instant,
}

/// Clients at work.
pub struct Load {
    plan: Plan,
    schedule: Schedule,
    answered: Arc<AtomicU64>,
    workers: JoinSet<anyhow::Result<Tally>>,
}

impl Load {
    /// Sets the clients to work; the warm-up begins.
    pub fn start<S: Seats>(plan: Plan, clients: Vec<S>) -> Load {
        let from = Instant::now() + plan.warm_up;
        let schedule = Schedule { from, until: from + plan.measured };
        let answered = Arc::new(AtomicU64::new(0));
        let mut workers = JoinSet::new();
        for client in clients {
            workers.spawn(work(client, schedule, answered.clone()));
        }
        Load { plan, schedule, answered, workers }
    }

    /// Waits until the warm-up is over.
    pub async fn warmed_up(&self) {
        sleep_until(self.schedule.from).await;
    }

    /// Waits until all that is measured has begun; a line goes to stderr each second.
    pub async fn tell_progress(&self) {
        let Schedule { from, until } = self.schedule;
        let mut before = self.answered.load(Ordering::Relaxed);
        let mut told = Instant::now();
        for second in 1.. {
            sleep_until(until.min(from + Duration::from_secs(second))).await;
            let now = self.answered.load(Ordering::Relaxed);
            let rate = (now - before) as f64 / told.elapsed().as_secs_f64();
            talk(format_args!("{second:4} s {rate:8.0} ops/s"));
            (before, told) = (now, Instant::now());
            if told >= until {
                return;
            }
        }
    }

    /// Waits for the last answers and puts together what the clients noted.
    pub async fn report(mut self) -> anyhow::Result<LoadReport> {
        let mut all = Tally::new()?;
        while let Some(tally) = self.workers.join_next().await {
            all.add(tally??)?;
        }
        let elapsed = self.schedule.from.elapsed();
        if let Some(problem) = &all.last_problem {
            talk(format_args!("{} errors, the last one: {problem:#}", all.errors));
        }
        Ok(all.report(&self.plan, elapsed))
    }
}

async fn work<S: Seats>(
    mut client: S,
    schedule: Schedule,
    answered: Arc<AtomicU64>,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    while Instant::now() < schedule.until {
        let asked = Instant::now();
        let seat = match client.checkout().await {
            Ok(seat) => seat,
            Err(problem) => {
                tally.error(problem);
                sleep(AFTER_ERROR).await;
                continue;
            }
        };
        tally.answer(asked, schedule, &answered)?;
        let asked = Instant::now();
        match client.checkin(seat).await {
            Ok(()) => tally.answer(asked, schedule, &answered)?,
            Err(problem) => tally.error(problem),
        }
    }
    Ok(tally)
}

impl Tally {
    fn new() -> anyhow::Result<Tally> {
        let latencies_us = Histogram::new(3).context("cannot make a histogram")?;
        Ok(Tally { latencies_us, errors: 0, last_problem: None })
    }

    fn answer(&mut self, asked: Instant, schedule: Schedule, answered: &AtomicU64) -> anyhow::Result<()> {
        answered.fetch_add(1, Ordering::Relaxed);
        if (schedule.from..schedule.until).contains(&asked) {
            let latency = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.latencies_us.record(latency).context("cannot note a latency")?;
        }
        Ok(())
    }

    /// Errors count always: one in the warm-up is as wrong as one later.
    fn error(&mut self, problem: anyhow::Error) {
        self.errors += 1;
        self.last_problem = Some(problem);
    }

    fn add(&mut self, other: Tally) -> anyhow::Result<()> {
        self.latencies_us.add(other.latencies_us).context("cannot add histograms")?;
        self.errors += other.errors;
        self.last_problem = other.last_problem.or(self.last_problem.take());
        Ok(())
    }

    fn report(&self, plan: &Plan, elapsed: Duration) -> LoadReport {
        let latencies = &self.latencies_us;
        let ops = latencies.len();
        LoadReport {
            ops_per_s: (ops as f64 / elapsed.as_secs_f64() * 10.0).round() / 10.0,
            p50_us: latencies.value_at_quantile(0.5),
            p99_us: latencies.value_at_quantile(0.99),
            max_us: latencies.max(),
            ops,
            errors: self.errors,
            clients: plan.clients,
            features: plan.features,
            seconds: plan.measured.as_secs(),
        }
    }
}

/// Where the servers are when they are not started here.
pub fn parse_servers(text: &str) -> Result<SearchPath, String> {
    text.parse().map_err(|error: licensing_client::SearchPathError| error.to_string())
}
