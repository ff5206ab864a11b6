//! A crowd of clients that take seats and give them back while something happens to the servers, and the windows of time
//! in which their longest gaps are noted.
//!
//! The same for every measured system. A client whose request fails says so, is counted, and goes on; nothing it waited
//! for is left out of its gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::measure::gaps::{Answer, Distribution, Gaps};
use crate::measure::probe::DiskProbe;
use crate::show::output::{talk, words};
use crate::work::seats::Seats;

/// How long a window lasts after every client has been served by the new master. A stumble of the new master shows in
/// it; a longer one would mostly show what else goes on on this machine.
const AFTERMATH: Duration = Duration::from_millis(100);

/// A client that has no answer for so long hangs. Its gap is worse than any that is measured here.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at something that is expected to change.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// Between two tries of a client that got no answer.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// Before each blow and each return: longer than a lease, so that a server that was just started votes again, and than
/// the heartbeats a new master stays for at least.
pub const CALM: Duration = Duration::from_millis(700);

/// The window in which nothing happens: about as long as the others take.
pub const QUIET: Duration = Duration::from_millis(400);

/// A disk that answers a probe later than this stalls: what it does to clients is not the triad's doing.
pub const DISK_STALL: Duration = Duration::from_millis(5);

/// One window.
#[derive(Debug, Clone)]
pub struct Window {
    /// The longest gap of every client.
    gaps: Vec<Duration>,
    /// The slowest probe of the disk.
    disk: Duration,
}

impl Window {
    /// Of the client that waited longest.
    pub fn longest(&self) -> Duration {
        self.gaps.iter().max().copied().unwrap_or_default()
    }
}

/// The windows of one kind in all rounds.
#[derive(Debug, Clone, Default)]
pub struct Windows(Vec<Window>);

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>8} disk {:>8}", words(self.longest()), words(self.disk))
    }
}

impl Windows {
    /// One more.
    pub fn push(&mut self, window: Window) {
        self.0.push(window);
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Of each window the gap of the client that waited longest.
    pub fn longest(&self) -> Distribution {
        Distribution::of(self.0.iter().map(Window::longest).collect())
    }

    /// Every client in every window.
    pub fn every_client(&self) -> Distribution {
        Distribution::of(self.0.iter().flat_map(|window| window.gaps.iter().copied()).collect())
    }

    /// Those in which the disk did not stall.
    pub fn with_calm_disk(&self) -> Windows {
        Windows(self.0.iter().filter(|window| window.disk <= DISK_STALL).cloned().collect())
    }
}

/// Clients at work and what they note.
#[derive(Debug)]
pub struct Crowd {
    gaps: Vec<Arc<Gaps>>,
    disk: DiskProbe,
    stop: Arc<AtomicBool>,
    errors: Arc<AtomicU64>,
    workers: JoinSet<()>,
}

impl Crowd {
    /// Sets the clients to work.
    pub fn gather<S: Seats>(clients: Vec<S>, disk: DiskProbe) -> Crowd {
        let mut crowd = Crowd {
            gaps: Vec::new(),
            disk,
            stop: Arc::default(),
            errors: Arc::default(),
            workers: JoinSet::new(),
        };
        for (number, client) in clients.into_iter().enumerate() {
            let gaps = Arc::new(Gaps::default());
            crowd.gaps.push(gaps.clone());
            let (stop, errors) = (crowd.stop.clone(), crowd.errors.clone());
            let worker = Worker { number, client, gaps, stop, errors };
            crowd.workers.spawn(worker.work());
        }
        crowd
    }

    /// A window begins.
    pub fn begin(&self) {
        self.gaps.iter().for_each(|gaps| gaps.begin());
        self.disk.begin();
    }

    /// What was noted since the beginning.
    pub fn window(&self) -> Window {
        Window { gaps: self.gaps.iter().map(|gaps| gaps.longest()).collect(), disk: self.disk.slowest() }
    }

    /// Waits until every client has had an answer since now, and for the aftermath.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let now = Instant::now();
        while !self.gaps.iter().all(|gaps| gaps.last() > now) {
            if now.elapsed() > PATIENCE {
                bail!("a client has had no answer for {} s, though there is a master", PATIENCE.as_secs());
            }
            sleep(LOOK_PAUSE).await;
        }
        sleep(AFTERMATH).await;
        Ok(())
    }

    /// Keeps every answer from now on.
    pub fn record(&self) {
        self.gaps.iter().for_each(|gaps| gaps.record());
    }

    /// The answers of all clients since, in no order.
    pub fn recorded(&self) -> Vec<Answer> {
        self.gaps.iter().flat_map(|gaps| gaps.recorded()).collect()
    }

    /// Requests so far without a definite answer, or with a denial.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Ends the work and counts the errors.
    pub async fn disperse(&mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        while self.workers.join_next().await.is_some() {}
        self.errors()
    }
}

/// A client that takes a seat and gives it back, without a pause.
struct Worker<S> {
    number: usize,
    client: S,
    gaps: Arc<Gaps>,
    stop: Arc<AtomicBool>,
    errors: Arc<AtomicU64>,
}

impl<S: Seats> Worker<S> {
    async fn work(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let Err(problem) = self.out_and_in().await else { continue };
            self.errors.fetch_add(1, Ordering::Relaxed);
            talk(format_args!("client {}: {problem:#}", self.number + 1));
            sleep(AFTER_ERROR).await;
            if let Err(problem) = self.client.recover(&problem).await {
                talk(format_args!("client {}: {problem:#}", self.number + 1));
            }
        }
    }

    async fn out_and_in(&mut self) -> anyhow::Result<()> {
        let seat = self.client.checkout().await?;
        self.gaps.answered();
        self.client.checkin(seat).await?;
        self.gaps.answered();
        Ok(())
    }
}
