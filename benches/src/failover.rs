//! The failover, again and again: the master goes away in the middle of the load and comes back, and every client notes
//! how long it waited for an answer.
//!
//! One round: an undisturbed window, whose longest gap is what this machine does to clients by itself; the blow, and
//! the longest gap around it; the return, and the longest gap around that. A window ends when the new master serves,
//! every client has had an answer since, and a moment has passed in which a stumble would show.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use licensing_client::{Client, RequestError, SearchPath};
use licensing_core::command::Action;
use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::gaps::{Distribution, Gaps};
use crate::output::{talk, words};
use crate::probe::DiskProbe;
use crate::triad::{connect, connect_all, feature_name};

/// Before each blow and each return: longer than a lease, so that a server that was just started votes again, and than
/// the heartbeats a new master stays for at least.
const CALM: Duration = Duration::from_millis(700);

/// The window in which nothing happens: about as long as the others take.
const QUIET: Duration = Duration::from_millis(400);

/// How long a window lasts after every client has been served by the new master. A stumble of the new master shows in
/// it; a longer one would mostly show what else goes on on this machine.
const AFTERMATH: Duration = Duration::from_millis(100);

/// A client that has no answer for so long hangs. Its gap is worse than any that is measured here.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at something that is expected to change.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// Between two tries of a client that got no answer.
const AFTER_ERROR: Duration = Duration::from_millis(10);

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
}

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
    fn longest(&self) -> Duration {
        self.gaps.iter().max().copied().unwrap_or_default()
    }
}

/// The windows of one kind in all rounds.
#[derive(Debug, Clone, Default)]
pub struct Windows(Vec<Window>);

impl Windows {
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
}

/// Clients at work and what they note.
struct Crowd {
    gaps: Vec<Arc<Gaps>>,
    disk: DiskProbe,
    stop: Arc<AtomicBool>,
    errors: Arc<AtomicU64>,
    workers: JoinSet<()>,
}

/// Plays the rounds. A line for each goes to stderr.
pub async fn run(
    triad: &mut LocalTriad,
    how: How,
    rounds: usize,
    clients: usize,
) -> anyhow::Result<Observed> {
    let servers = triad.search_path();
    let administrator = connect(servers.clone(), clients).await?;
    let mut crowd = Crowd::gather(&servers, clients, DiskProbe::start(triad.directory())?).await?;
    let mut observed = Observed::default();
    for round in 1..=rounds {
        sleep(CALM).await;
        crowd.begin();
        sleep(QUIET).await;
        let quiet = crowd.window();

        let begun = Instant::now();
        crowd.begin();
        take_away(triad, how, &administrator).await?;
        triad.wait_until_master(Role::Secondary).await?;
        let failover_took = begun.elapsed();
        crowd.settle().await?;
        let failover = crowd.window();
        sleep(CALM).await;

        let begun = Instant::now();
        crowd.begin();
        bring_back(triad, how, &administrator).await?;
        triad.wait_until_master(Role::Primary).await?;
        let handback_took = begun.elapsed();
        crowd.settle().await?;
        let handback = crowd.window();

        let errors = crowd.errors.load(Ordering::Relaxed);
        talk(format_args!(
            "round {round:3}: {} (served after {:>8}); back {} (served after {:>8}); quiet {}; {errors} errors",
            window_words(&failover),
            words(failover_took),
            window_words(&handback),
            words(handback_took),
            window_words(&quiet),
        ));
        observed.quiet.0.push(quiet);
        observed.failover.0.push(failover);
        observed.handback.0.push(handback);
    }
    observed.errors = crowd.disperse().await;
    // The servers end with the triad, and the session with them.
    drop(administrator);
    Ok(observed)
}

fn window_words(window: &Window) -> String {
    format!("{:>8} disk {:>8}", words(window.longest()), words(window.disk))
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

impl Crowd {
    async fn gather(servers: &SearchPath, clients: usize, disk: DiskProbe) -> anyhow::Result<Crowd> {
        let mut crowd = Crowd {
            gaps: Vec::new(),
            disk,
            stop: Arc::default(),
            errors: Arc::default(),
            workers: JoinSet::new(),
        };
        for (number, client) in connect_all(servers, clients).await?.into_iter().enumerate() {
            let gaps = Arc::new(Gaps::default());
            crowd.gaps.push(gaps.clone());
            let worker = Worker {
                number,
                servers: servers.clone(),
                gaps,
                stop: crowd.stop.clone(),
                errors: crowd.errors.clone(),
            };
            crowd.workers.spawn(worker.work(client));
        }
        Ok(crowd)
    }

    fn begin(&self) {
        self.gaps.iter().for_each(|gaps| gaps.begin());
        self.disk.begin();
    }

    /// What was noted since the beginning.
    fn window(&self) -> Window {
        Window { gaps: self.gaps.iter().map(|gaps| gaps.longest()).collect(), disk: self.disk.slowest() }
    }

    /// Waits until every client has had an answer since now, and for the aftermath.
    async fn settle(&self) -> anyhow::Result<()> {
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

    /// Ends the work and counts the errors.
    async fn disperse(&mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        while self.workers.join_next().await.is_some() {}
        self.errors.load(Ordering::Relaxed)
    }
}

/// A client that takes a seat and gives it back, without a pause.
struct Worker {
    number: usize,
    servers: SearchPath,
    gaps: Arc<Gaps>,
    stop: Arc<AtomicBool>,
    errors: Arc<AtomicU64>,
}

impl Worker {
    async fn work(self, mut client: Client) {
        let feature = feature_name(0);
        while !self.stop.load(Ordering::Relaxed) {
            let problem = match client.checkout(feature.as_str()).await {
                Ok(seat) => {
                    self.gaps.answered();
                    match seat.checkin().await {
                        Ok(_) => {
                            self.gaps.answered();
                            continue;
                        }
                        Err(problem) => problem,
                    }
                }
                Err(problem) => problem,
            };
            self.errors.fetch_add(1, Ordering::Relaxed);
            talk(format_args!("client {}: {problem}", self.number + 1));
            sleep(AFTER_ERROR).await;
            if matches!(problem, RequestError::SessionLost { .. }) {
                match connect(self.servers.clone(), self.number).await {
                    Ok(again) => client = again,
                    Err(problem) => talk(format_args!("{problem:#}")),
                }
            }
        }
        // Whether its session is closed or expires does not matter to servers that are about to end.
        let _ = client.close().await;
    }
}
