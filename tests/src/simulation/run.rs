//! One run, from its seed to its verdict.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use licensing_core::id::Role;
use licensing_raft::testing::DiskMoment;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::clients;
use super::faults::trouble;
use super::host::Host;
use super::network::Network;
use super::panics;
use super::random::Stream;
use super::service::{Service, Shown, Site};
use super::versions;
use crate::check::{judge_blind, semaphore};
use crate::history::{About, History, Read, Recorder};
use crate::mutants;
use crate::oracle::{self, Verdict, Violation};

/// How long the healed service may take to agree, serve and level out: several elections and a snapshot.
const CONVERGENCE: Duration = Duration::from_secs(20);

/// How long whatever was begun under faults may take: longer than the longest of them, with the elections after it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at all servers, which are compared with what clients were told.
const SHOW: Duration = Duration::from_millis(250);

/// Between two looks of the service's own.
const LOOK: Duration = Duration::from_millis(7);

/// What is claimed of every run, besides the claims of [`oracle::claim`].
pub mod claim {
    /// Unless its disk has failed.
    pub const NO_SERVER_STOPS: &str = "no server stops by itself";
    /// Nobody waits for ever.
    pub const ENDS: &str = "everything ends soon after the faults";
    /// No client and no task of a server, whoever catches it.
    pub const NO_PANIC: &str = "nobody panics";
    /// After the faults.
    pub const HEALS: &str = "after the faults the right server serves and all are level";
    /// After the clients stopped, too.
    pub const LEVELS_OUT: &str = "when the clients have stopped all servers are level";
    /// Who is first of two threads is nobody's decision.
    pub const ONE_THREAD: &str = "a run stays on one thread, so that it repeats itself";
    /// For services without a log index in their answers.
    pub const BLIND: &str = "what clients were told can have happened, in some order";
}

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides everything.
    pub seed: u64,
    /// Virtual time under faults.
    pub duration: Duration,
    /// Clients that work all the time.
    pub clients: u32,
}

impl Options {
    /// The usual run of a seed: thirty seconds, six clients.
    pub fn of(seed: u64) -> Options {
        Options { seed, duration: Duration::from_secs(30), clients: 6 }
    }
}

/// What came out of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was untrue; empty for a good run.
    pub violations: Vec<Violation>,
    /// What was judged.
    pub verdict: Verdict,
    /// How often what happened; see [`super::seen`].
    pub counts: BTreeMap<&'static str, u64>,
    /// Virtual time in all.
    pub simulated: Duration,
    /// What clients were told and servers showed.
    pub history: History,
    /// Equal for equal runs: made of the whole history and all counts.
    pub trace: String,
}

/// Runs a service under the faults of one seed and judges it. Needs no runtime around it.
pub fn run<S: Service>(service: S, options: &Options) -> Report {
    let thread = Thread::new();
    let mut report = thread.runtime.block_on(simulate(service, options.clone()));
    report.violations.extend(thread.left());
    report
}

/// Lets a scenario of your own happen to a service, without troubles or clients other than the scenario's: for what must
/// be seen step by step. Claims are looked at all the time, and those found untrue are returned.
pub fn play<S: Service, F: Future<Output = ()>>(
    service: S,
    seed: u64,
    scenario: impl FnOnce(Arc<Site<S>>) -> F,
) -> Vec<Violation> {
    mutants::plant_as_told();
    let thread = Thread::new();
    let mut violations = thread.runtime.block_on(async {
        let (site, _moments) = open(service, seed).await;
        let looking = tokio::spawn(look(site.clone()));
        scenario(site.clone()).await;
        looking.abort();
        for role in Role::ALL {
            site.crash(role).await;
        }
        site.violations()
    });
    violations.extend(thread.left());
    violations
}

/// The one thread of a run, under a clock of its own.
struct Thread {
    runtime: Runtime,
    others: Arc<AtomicUsize>,
}

impl Thread {
    fn new() -> Thread {
        panics::note();
        let others = Arc::new(AtomicUsize::new(0));
        let counted = others.clone();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        // Those for blocking work, that is.
        runtime.on_thread_start(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime without I/O");
        Thread { runtime, others }
    }

    /// What can be said of the thread when all is over.
    fn left(&self) -> Vec<Violation> {
        let panics = panics::taken().into_iter();
        let mut left: Vec<Violation> =
            panics.map(|detail| Violation { claim: claim::NO_PANIC, detail }).collect();
        let others = self.others.load(Ordering::SeqCst);
        if others > 0 {
            let detail = format!("{others} threads were started for blocking work");
            left.push(Violation { claim: claim::ONE_THREAD, detail });
        }
        left
    }
}

type Moments = mpsc::UnboundedReceiver<(Role, DiskMoment)>;

/// A site where all servers have just been started.
async fn open<S: Service>(service: S, seed: u64) -> (Arc<Site<S>>, Moments) {
    let network = Network::new(Stream::new(seed, "network"));
    let (noticing, moments) = mpsc::unbounded_channel();
    let hosts = Role::ALL.map(|role| Host::new(seed, role, network.clone(), noticing.clone()));
    let about = About {
        servers: service.roles().len() as u32,
        later: service.later(),
        ..About::new("simulation", seed, service.licensed())
    };
    let recorder = Recorder::of(about);
    let site = Arc::new(Site::new(Arc::new(service), seed, network, recorder, hosts));
    versions::begin(&site);
    for role in site.service.roles() {
        site.start(*role).await;
    }
    (site, moments)
}

async fn simulate<S: Service>(service: S, options: Options) -> Report {
    let begun = Instant::now();
    let (site, mut moments) = open(service, options.seed).await;
    let working: Vec<_> =
        (1..=options.clients).map(|place| tokio::spawn(clients::work(site.clone(), place))).collect();
    let watching = [
        tokio::spawn(show_all(site.clone())),
        tokio::spawn(look(site.clone())),
        tokio::spawn(versions::tend(site.clone())),
    ];
    let attending = {
        let site = site.clone();
        tokio::spawn(async move { site.service.attend(site.clone()).await })
    };

    // First trouble, then peace: everything heals, and the service must converge and serve.
    ends(&site, "the faults", options.duration, trouble(&site, begun + options.duration, &mut moments)).await;
    drop(moments);
    attending.abort();
    ends(&site, "the operators", Duration::ZERO, site.service.heal(&site)).await;
    converge(&site, claim::HEALS).await;
    site.stop.send_replace(true);
    let mut clients = Vec::new();
    for worker in working {
        match ends(&site, "a client", Duration::ZERO, worker).await {
            // It was noted where it panicked.
            Some(Err(_)) => {}
            Some(Ok(client)) => clients.extend(client),
            None => {}
        }
    }
    if let Some(grace) = site.service.grace() {
        // What the silent held is back by then: their grace, counted anew by a new master, and one look.
        sleep(grace * 2 + Duration::from_secs(2)).await;
        site.recorder.forget_vanished();
    }
    converge(&site, claim::LEVELS_OUT).await;
    sleep(Duration::from_millis(1)).await;
    record(&site);
    watching.iter().for_each(tokio::task::JoinHandle::abort);
    for role in Role::ALL {
        site.crash(role).await;
    }
    site.service.end(&site);
    report(&site, begun.elapsed())
}

fn report<S: Service>(site: &Site<S>, simulated: Duration) -> Report {
    let history = site.recorder.history();
    let mut violations = site.violations();
    let mut verdict = Verdict::default();
    if site.service.is_witnessed() {
        match oracle::judge(&history) {
            Ok(good) => verdict = good,
            Err(found) => violations.extend(found),
        }
    } else {
        violations.extend(blind(&history));
    }
    let counts = site.counts();
    let mut hasher = DefaultHasher::new();
    (history.to_text(), format!("{counts:?} {simulated:?}")).hash(&mut hasher);
    let trace = format!("{:016x}", hasher.finish());
    Report { violations, verdict, counts, simulated, history, trace }
}

/// Waits for something that must end, in peace or soon after the faults.
async fn ends<S: Service, T>(
    site: &Site<S>,
    what: &str,
    faults: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let done = tokio::time::timeout(faults + PATIENCE, work).await.ok();
    if done.is_none() {
        let state =
            site.service.settled(&site.servers()).err().unwrap_or_else(|| "all is settled".to_owned());
        site.fail(claim::ENDS, format!("{what} did not end within {:?}; {state}", faults + PATIENCE));
    }
    done
}

/// Waits until the service is what it should be.
async fn converge<S: Service>(site: &Site<S>, claim: &'static str) {
    let deadline = Instant::now() + CONVERGENCE;
    loop {
        let settled = site.service.settled(&site.servers());
        match settled {
            Ok(()) => return,
            Err(why) if Instant::now() > deadline => return site.fail(claim, why),
            Err(_) => sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn show_all<S: Service>(site: Arc<Site<S>>) {
    loop {
        sleep(SHOW).await;
        record(&site);
        for role in Role::ALL {
            // In trouble it may.
            let alone = site.host(role).trouble().try_lock();
            let failure = site.awake(role).and_then(|server| site.service.failure(&server));
            if let (Ok(_), Some(why)) = (alone, failure)
                && !site.service.may_stop(&site, role, &why)
            {
                site.fail(claim::NO_SERVER_STOPS, format!("the {role}: {why}"));
            }
        }
    }
}

fn record<S: Service>(site: &Site<S>) {
    let now_us = site.recorder.now_us();
    for (role, server) in Role::ALL.into_iter().zip(site.servers()) {
        let shown = server.and_then(|server| site.service.show(&server));
        if let Some(Shown { applied, edition, features, held }) = shown {
            let (asked_us, answered_us) = (now_us, now_us);
            // Who serves is judged by the service's own look, at every instant.
            site.recorder.read(Read {
                server: role,
                asked_us,
                answered_us,
                master: false,
                applied,
                edition,
                features,
                held,
            });
        }
    }
}

async fn look<S: Service>(site: Arc<Site<S>>) {
    loop {
        sleep(LOOK).await;
        site.service.look(&site);
    }
}

/// What the judge without log indexes finds impossible. What it cannot decide is nobody's fault.
fn blind(history: &History) -> Vec<Violation> {
    let judged = judge_blind(history).into_iter();
    let impossible = judged.filter_map(|(feature, judgement)| match judgement.verdict {
        semaphore::Verdict::NotLinearizable(found) => Some(format!("{}: {found}", feature.name)),
        semaphore::Verdict::Linearizable(_) | semaphore::Verdict::OutOfBudget => None,
    });
    impossible.map(|detail| Violation { claim: claim::BLIND, detail }).collect()
}
