//! One run, from its seed to its verdict.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use licensing_core::id::Role;
use tokio::time::{Instant, sleep};

use super::claim;
use super::clients;
use super::faults::trouble;
use super::happenings::{Ears, Heard};
use super::host::Host;
use super::network::{End, Network};
use super::notes::Notes;
use super::options::Options;
use super::random::Stream;
use super::report::Report;
use super::service::{Service, Shown, Site};
use super::thread::{self, Thread, Window};
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

/// Runs a service under the faults of one seed and judges it. Needs no runtime around it. A run that does not advance any more
/// is given up, and says so.
pub fn run<S: Service>(service: S, options: &Options) -> Report {
    let (own, given_up) = (options.clone(), options.clone());
    let run = move |window: Window| {
        let thread = Thread::new(window.panics.clone());
        let (site, simulated) = thread.runtime.block_on(simulate(service, own.clone(), &window));
        window.close();
        let mut report = report(&site, own, simulated);
        report.violations.extend(thread.left());
        report
    };
    thread::watched(options.seed, options.stands_still, run, |window| thread::stood_still(given_up, window))
}

/// Lets a scenario of your own happen to a service, without troubles or clients other than the scenario's: for what must
/// be seen step by step. Claims are looked at all the time, and those found untrue are returned.
pub fn play<S: Service, F: Future<Output = ()>>(
    service: S,
    seed: u64,
    scenario: impl FnOnce(Arc<Site<S>>) -> F + Send + 'static,
) -> Vec<Violation> {
    play_on(service, Network::new(seed), seed, scenario)
}

/// [`play`] on a network that is not as it usually is from the first connection on.
pub fn play_on<S: Service, F: Future<Output = ()>>(
    service: S,
    network: Network,
    seed: u64,
    scenario: impl FnOnce(Arc<Site<S>>) -> F + Send + 'static,
) -> Vec<Violation> {
    mutants::plant_as_told();
    let play = move |window: Window| {
        let thread = Thread::new(window.panics.clone());
        let mut violations = thread.runtime.block_on(async {
            let (site, _heard) = open(service, network, seed, &window).await;
            let looking = [tokio::spawn(look(site.clone())), tokio::spawn(advance(site.clone()))];
            scenario(site.clone()).await;
            looking.iter().for_each(tokio::task::JoinHandle::abort);
            for role in Role::ALL {
                site.crash(role).await;
            }
            site.notes.violations()
        });
        violations.extend(thread.left());
        violations
    };
    let stands_still = Options::of(seed).stands_still;
    thread::watched(seed, stands_still, play, |window| thread::untrue(window, stands_still))
}

/// In three runs of ten something forwards the connections of one server, or those between two.
fn forwarders(network: &Network, seed: u64) {
    let random = Stream::new(seed, "forwarders");
    if random.chance(30) {
        let role = Role::ALL[random.below(3) as usize];
        let others = role.others().into_iter().skip(random.below(2) as usize);
        network.forward(others.map(|other| (End::Server(role), End::Server(other))));
    }
}

/// A site where all servers have just been started.
async fn open<S: Service>(service: S, network: Network, seed: u64, window: &Window) -> (Arc<Site<S>>, Heard) {
    let (ears, heard) = Ears::open();
    let hosts = Role::ALL.map(|role| Host::new(seed, role, network.clone(), ears.clone()));
    let about = About {
        servers: service.roles().len() as u32,
        later: service.later(),
        dated: service.dated(),
        ..About::new("simulation", seed, service.licensed())
    };
    let (recorder, notes) = (Recorder::of(about), Notes::default());
    window.open(&recorder, &notes);
    let site = Arc::new(Site::new(Arc::new(service), seed, network, recorder, hosts, notes));
    versions::begin(&site);
    for role in site.service.roles() {
        site.start(*role).await;
    }
    (site, heard)
}

/// The site when all is over, and how much virtual time that took.
async fn simulate<S: Service>(service: S, options: Options, window: &Window) -> (Arc<Site<S>>, Duration) {
    let begun = Instant::now();
    let network = Network::new(options.seed);
    forwarders(&network, options.seed);
    let (site, mut heard) = open(service, network, options.seed, window).await;
    let working: Vec<_> =
        (1..=options.clients).map(|place| tokio::spawn(clients::work(site.clone(), place))).collect();
    let watching = [
        tokio::spawn(show_all(site.clone())),
        tokio::spawn(look(site.clone())),
        tokio::spawn(advance(site.clone())),
        tokio::spawn(versions::tend(site.clone())),
    ];
    let attending = {
        let site = site.clone();
        tokio::spawn(async move { site.service.attend(site.clone()).await })
    };

    // First trouble, then peace: everything heals, and the service must converge and serve.
    ends(&site, "the faults", options.duration, trouble(&site, begun + options.duration, &mut heard)).await;
    drop(heard);
    attending.abort();
    ends(&site, "the operators", Duration::ZERO, site.service.heal(&site)).await;
    converge(&site, claim::HEALS).await;
    site.peace.store(true, Ordering::SeqCst);
    site.stop.send_replace(true);
    let mut clients = Vec::new();
    for (place, worker) in (1..).zip(working) {
        match ends(&site, &format!("client {place}"), Duration::ZERO, worker).await {
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
    site.peace.store(false, Ordering::SeqCst);
    watching.iter().for_each(tokio::task::JoinHandle::abort);
    for role in Role::ALL {
        site.crash(role).await;
    }
    site.service.end(&site);
    (site, begun.elapsed())
}

fn report<S: Service>(site: &Site<S>, options: Options, simulated: Duration) -> Report {
    let history = site.recorder.history();
    let (mut violations, counts) = (site.notes.violations(), site.counts());
    let mut verdict = Verdict::default();
    if site.service.is_witnessed() {
        let (judged, found) = oracle::judge_all(&history);
        verdict = judged;
        violations.extend(found);
        if !verdict.is_determined() {
            let detail =
                "no server showed its state: implement `Service::show`, or say that answers carry no index";
            violations.push(Violation::new(oracle::claim::END_IS_SEEN, detail));
        }
    } else {
        violations.extend(blind(&history));
    }
    let mut hasher = DefaultHasher::new();
    (history.to_text(), format!("{counts:?} {simulated:?}")).hash(&mut hasher);
    let trace = format!("{:016x}", hasher.finish());
    Report {
        options,
        violations,
        verdict,
        counts,
        happened: site.notes.happened(),
        simulated,
        history,
        trace,
    }
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
        let state = match site.service.settled(&site.servers()) {
            Ok(()) => "the servers are level and one of them serves".to_owned(),
            Err(why) => why,
        };
        let waiting = waiting(&site.recorder.history(), what);
        site.fail(
            claim::ENDS,
            format!("{what} did not end within {:?}{waiting}; {state}", faults + PATIENCE),
        );
    }
    done
}

/// What a client waits for, if it is one that does.
fn waiting(history: &History, who: &str) -> String {
    let place = who.strip_prefix("client ").and_then(|place| place.parse::<u32>().ok());
    let mut asked = history.operations.iter().rev();
    let last = asked.find(|operation| {
        Some(operation.client % clients::GENERATION) == place && operation.completed_us.is_none()
    });
    last.map_or_else(String::new, |operation| {
        let since = operation.invoked_us as f64 / 1e6;
        format!(
            ": client {} waits since {since:.3} s for the answer to {:?}",
            operation.client, operation.kind
        )
    })
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
        if let Some(Shown { applied, at, edition, features, held }) = shown {
            if let Some(at) = at {
                site.recorder.date(applied, at);
            }
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

/// Shows to whoever watches from outside that virtual time goes on.
async fn advance<S: Service>(site: Arc<Site<S>>) {
    loop {
        sleep(LOOK).await;
        site.notes.advance(site.recorder.now_us());
    }
}

/// What the judge without log indexes finds impossible. What it cannot decide is nobody's fault.
fn blind(history: &History) -> Vec<Violation> {
    let judged = judge_blind(history).into_iter();
    let impossible = judged.filter_map(|(feature, judgement)| match judgement.verdict {
        semaphore::Verdict::NotLinearizable(found) => Some(format!("{}: {found}", feature.name)),
        semaphore::Verdict::Linearizable(_) | semaphore::Verdict::OutOfBudget => None,
    });
    impossible.map(|detail| Violation::new(claim::BLIND, detail)).collect()
}
