//! The overload: several times what the servers can decide is asked of them, and what must hold all the same is
//! looked at.
//!
//! First a closed loop finds the capacity, then [`crate::work::flood`] offers a multiple of it, while ordinary sessions hold a
//! seat each and renew. What must hold are the [`OverloadReport::targets`]: overload may cost refusals, never a master, a session,
//! most of the work, or memory without bound.

use std::time::Duration;

use anyhow::{Context, bail};
use licensing_client::{Checkout, Client, ClientEvent};
use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use serde::Serialize;
use tokio::runtime::Builder;
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::measure::cpu::{CpuUse, CpuWatch};
use crate::measure::memory::mib;
use crate::measure::memory_watch::{MemoryWatch, Most};
use crate::measure::standing::StandingWatch;
use crate::programs::load::{Load, LoadReport, Plan};
use crate::show::output::talk;
use crate::work::flood::{Flood, FloodPlan, FloodTally};
use crate::work::seats::TriadSeats;
use crate::work::triad::{close_all, connect_all, feature_name};

/// Clients of the small load, by which "normal" is measured: few enough that they never wait for each other for long.
const FEW: usize = 8;

/// How long the small load is measured before the overload: some ten thousand requests.
const NORMAL: Duration = Duration::from_secs(3);

/// How long each look at the small load takes afterwards: a hundred of the slowest percent on a middling disk.
const LOOK: Duration = Duration::from_millis(500);

/// Normal again: the 99th percentile of a look is at most so many times what it was.
const NORMAL_AGAIN: f64 = 1.5;

/// Within this.
const NORMAL_WITHIN: Duration = Duration::from_secs(5);

/// How long the looks go on: what is not normal by then is not normal again.
const GIVE_UP: Duration = Duration::from_secs(30);

/// The least share of the capacity that is decided during the overload.
const LEAST_GOODPUT: f64 = 0.8;

/// The most memory a server may have, in MiB.
const MOST_MEMORY_MIB: f64 = 256.0;

/// Threads of the flood: more would take the processors from the servers, fewer might not keep up.
const FLOOD_THREADS: usize = 2;

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct OverloadPlan {
    /// Of the closed loop that finds the capacity.
    pub clients: usize,
    /// How long that is measured.
    pub peak: Duration,
    /// How many times the capacity is offered.
    pub factor: f64,
    /// For how long.
    pub lasting: Duration,
    /// Connections that offer it.
    pub connections: usize,
    /// Sessions that hold a seat and renew.
    pub renewing: usize,
    /// All are spread over so many.
    pub features: usize,
}

/// Something that must hold.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// What.
    pub what: &'static str,
    /// Whether it did.
    pub met: bool,
}

/// What came out; the names are those of the JSON line.
#[derive(Debug, Clone, Serialize)]
pub struct OverloadReport {
    /// What must hold, and whether it did.
    pub targets: Vec<Target>,
    /// Decisions per second of the closed loop: the capacity.
    pub peak_ops_per_s: f64,
    /// Requests due per second.
    pub offered_per_s: f64,
    /// Requests sent per second: the rest found its connection full.
    pub sent_per_s: f64,
    /// The most requests that could be under way at once.
    pub window_requests: usize,
    /// Decisions per second during the overload.
    pub goodput_per_s: f64,
    /// [`Self::goodput_per_s`] as a share of the capacity.
    pub goodput_share: f64,
    /// 99th percentile of the time to a decision during the overload, in microseconds.
    pub decided_p99_us: u64,
    /// Median of it.
    pub decided_p50_us: u64,
    /// 99th percentile of the time to "busy".
    pub busy_p99_us: u64,
    /// Answers "busy".
    pub busy: u64,
    /// Of these, how many said when to ask again.
    pub busy_hinted: u64,
    /// The longest hint.
    pub longest_hint_ms: u64,
    /// Requests of which it is not known whether they were done.
    pub unknown: u64,
    /// Requests that were sent to a server that was master no more.
    pub not_master: u64,
    /// Requests denied or answered with an error, without an answer, and connections that broke.
    pub errors: u64,
    /// Changes of master that the three servers told, all together.
    pub master_changes: usize,
    /// Sessions that renewed and lost their seat.
    pub sessions_lost: usize,
    /// Sessions that renewed.
    pub renewing: usize,
    /// How often these lost their connection.
    pub disconnects: usize,
    /// Most memory of each server, in MiB, primary first.
    pub memory_most_mib: [f64; 3],
    /// The same before the overload.
    pub memory_before_mib: [f64; 3],
    /// 99th percentile of a small load before.
    pub normal_p99_us: u64,
    /// Time until the small load was normal again; `null` when it never was.
    pub normal_again_ms: Option<u64>,
    /// Processors used by the flood and the renewing sessions together.
    pub flood_processors: f64,
    /// As asked for.
    pub factor: f64,
    /// As asked for.
    pub seconds: u64,
}

/// A session that holds a seat.
struct Holder {
    client: Client,
    seat: Checkout,
}

/// Seats enough that none is ever refused: a full window of every connection, and everybody else.
pub fn seats(plan: &OverloadPlan) -> usize {
    plan.connections * licensing_client::protocol::MAX_UNANSWERED + plan.clients + plan.renewing + FEW
}

/// Carries out the plan on a triad whose master is the primary. Beside the figures: who used the processors during the
/// overload.
pub async fn overload(plan: &OverloadPlan, triad: &LocalTriad) -> anyhow::Result<(OverloadReport, CpuUse)> {
    let peak = measure_peak(plan, triad).await?;
    let few = connect_all(&triad.search_path(), FEW).await?;
    let normal = small_load(triad, &few, NORMAL).await?;
    if normal.errors > 0 || peak.errors > 0 {
        bail!("clients saw errors before there was any overload: run `load` first, its log says why");
    }
    talk(format_args!(
        "capacity {:.0} ops/s; p99 of {FEW} clients alone {} µs",
        peak.ops_per_s, normal.p99_us
    ));
    let holders = hold(plan, triad).await?;
    let mut disconnects: Vec<_> = holders.iter().map(|holder| holder.client.events()).collect();
    let flood_plan = FloodPlan {
        connections: plan.connections,
        features: plan.features,
        per_second: peak.ops_per_s * plan.factor,
        lasting: plan.lasting,
    };
    let standing = StandingWatch::begin(triad, Role::Primary).await?;
    let memory = MemoryWatch::begin(triad);
    let (tally, cpu) = flood(flood_plan, triad).await?;
    if let Some(problem) = &tally.last_problem {
        talk(format_args!("{} errors, the last one: {problem}", tally.refused + tally.broken));
    }
    let normal_again = recovery(triad, &few, normal.p99_us).await?;
    let memory = memory.seen();
    let changes = standing.changes();
    for change in &changes {
        talk(format_args!("the {} told: {:?}", change.told_by, change.master));
    }
    let disconnects = disconnects.iter_mut().map(count_disconnects).sum();
    let sessions_lost = release(holders).await;
    close_all(few).await;
    let facts = Facts { peak, normal, tally, cpu: &cpu, memory, normal_again, disconnects, sessions_lost };
    let report = facts.report(plan, changes.len());
    Ok((report, cpu))
}

async fn measure_peak(plan: &OverloadPlan, triad: &LocalTriad) -> anyhow::Result<LoadReport> {
    let clients = connect_all(&triad.search_path(), plan.clients).await?;
    let load = Plan {
        clients: plan.clients,
        features: plan.features,
        measured: plan.peak,
        warm_up: Duration::from_secs(2),
    };
    talk(format_args!("{} clients find the capacity", plan.clients));
    let load = Load::start(load, TriadSeats::of(&clients, &triad.search_path(), plan.features));
    load.warmed_up().await;
    load.tell_progress().await;
    let report = load.report().await?;
    close_all(clients).await;
    Ok(report)
}

async fn small_load(triad: &LocalTriad, few: &[Client], measured: Duration) -> anyhow::Result<LoadReport> {
    let plan = Plan { clients: FEW, features: 1, measured, warm_up: Duration::ZERO };
    Load::start(plan, TriadSeats::of(few, &triad.search_path(), plan.features)).report().await
}

async fn hold(plan: &OverloadPlan, triad: &LocalTriad) -> anyhow::Result<Vec<Holder>> {
    let mut holders = Vec::with_capacity(plan.renewing);
    for (number, client) in connect_all(&triad.search_path(), plan.renewing).await?.into_iter().enumerate() {
        let seat = client.checkout(feature_name(number % plan.features.max(1))).await;
        let seat = seat.with_context(|| format!("session {} that is to renew got no seat", number + 1))?;
        holders.push(Holder { client, seat });
    }
    Ok(holders)
}

/// How often a client was without a master, as far as it still knows.
fn count_disconnects(events: &mut broadcast::Receiver<ClientEvent>) -> usize {
    let told = std::iter::from_fn(|| match events.try_recv() {
        Ok(event) => Some(matches!(event, ClientEvent::Disconnected { .. })),
        // So many that some are forgotten.
        Err(TryRecvError::Lagged(_)) => Some(false),
        Err(_) => None,
    });
    told.filter(|disconnected| *disconnected).count()
}

/// Gives the seats back; how many were not there any more.
async fn release(holders: Vec<Holder>) -> usize {
    let mut lost = 0;
    for Holder { client, seat } in holders {
        if let Err(problem) = seat.checkin().await {
            talk(format_args!("session {} lost its seat: {problem}", client.session()));
            lost += 1;
        }
        // One that is gone already is as good.
        let _ = client.close().await;
    }
    lost
}

/// The flood has threads of its own, so that it cannot keep the renewing sessions of this process from renewing.
async fn flood(plan: FloodPlan, triad: &LocalTriad) -> anyhow::Result<(FloodTally, CpuUse)> {
    let master = triad.address(Role::Primary);
    let (ready, connected) = oneshot::channel();
    let (done, finished) = oneshot::channel();
    let runtime = Builder::new_multi_thread().worker_threads(FLOOD_THREADS).enable_all().build()?;
    std::thread::Builder::new().name("flood".to_owned()).spawn(move || {
        let tally = runtime.block_on(async {
            let flood = Flood::connect(plan, &master).await?;
            // Nobody listens any more when the program gives up.
            let _ = ready.send(());
            flood.run().await
        });
        let _ = done.send(tally);
    })?;
    if connected.await.is_ok() {
        talk(format_args!("{} connections offer {:.0} requests/s", plan.connections, plan.per_second));
    }
    let watch = CpuWatch::begin(Some(triad));
    sleep(plan.lasting).await;
    let cpu = watch.end();
    let tally = finished.await.context("the thread of the flood panicked")??;
    Ok((tally, cpu))
}

/// How long after the overload the small load was normal; `None` when it is given up.
async fn recovery(
    triad: &LocalTriad,
    few: &[Client],
    normal_p99_us: u64,
) -> anyhow::Result<Option<Duration>> {
    let ended = Instant::now();
    while ended.elapsed() < GIVE_UP {
        let begun = ended.elapsed();
        let look = small_load(triad, few, LOOK).await?;
        talk(format_args!("{:5.1} s after the end: p99 {} µs", begun.as_secs_f64(), look.p99_us));
        if look.p99_us as f64 <= normal_p99_us as f64 * NORMAL_AGAIN && look.errors == 0 {
            return Ok(Some(begun));
        }
    }
    Ok(None)
}

/// What was measured, before it is judged.
struct Facts<'a> {
    peak: LoadReport,
    normal: LoadReport,
    tally: FloodTally,
    cpu: &'a CpuUse,
    memory: Vec<Most>,
    normal_again: Option<Duration>,
    disconnects: usize,
    sessions_lost: usize,
}

impl Facts<'_> {
    fn report(&self, plan: &OverloadPlan, master_changes: usize) -> OverloadReport {
        let Facts { peak, normal, tally, .. } = self;
        let seconds = plan.lasting.as_secs_f64();
        let per_s = |count: u64| (count as f64 / seconds).round();
        let memory_mib = |of: fn(&Most) -> u64| {
            let of_server = |place: usize| self.memory.get(place).map_or(0.0, |memory| mib(of(memory)));
            [0, 1, 2].map(|place| (of_server(place) * 10.0).round() / 10.0)
        };
        let mut report = OverloadReport {
            targets: Vec::new(),
            peak_ops_per_s: peak.ops_per_s,
            offered_per_s: per_s(tally.offered),
            sent_per_s: per_s(tally.sent),
            window_requests: plan.connections * licensing_client::protocol::MAX_UNANSWERED,
            goodput_per_s: per_s(tally.decided),
            goodput_share: (tally.decided as f64 / seconds / peak.ops_per_s * 1000.0).round() / 1000.0,
            decided_p99_us: tally.decided_us.value_at_quantile(0.99),
            decided_p50_us: tally.decided_us.value_at_quantile(0.5),
            busy_p99_us: tally.busy_us.value_at_quantile(0.99),
            busy: tally.busy,
            busy_hinted: tally.hinted,
            longest_hint_ms: tally.longest_hint_ms,
            unknown: tally.unknown,
            not_master: tally.not_master,
            errors: tally.refused + tally.unanswered + tally.broken,
            master_changes,
            sessions_lost: self.sessions_lost,
            renewing: plan.renewing,
            disconnects: self.disconnects,
            memory_most_mib: memory_mib(|memory| memory.most),
            memory_before_mib: memory_mib(|memory| memory.before),
            normal_p99_us: normal.p99_us,
            normal_again_ms: self
                .normal_again
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            flood_processors: self
                .cpu
                .shares
                .first()
                .map_or(0.0, |(_, share)| (share * 100.0).round() / 100.0),
            factor: plan.factor,
            seconds: plan.lasting.as_secs(),
        };
        report.targets = targets(&report);
        report
    }
}

/// What must hold of an overload.
fn targets(report: &OverloadReport) -> Vec<Target> {
    let within = u64::try_from(NORMAL_WITHIN.as_millis()).unwrap_or(u64::MAX);
    let judged = [
        ("no change of master", report.master_changes == 0 && report.not_master == 0),
        ("no session that renews is lost", report.sessions_lost == 0),
        (
            "busy answers, each with a hint when to ask again",
            report.busy > 0 && report.busy == report.busy_hinted,
        ),
        ("no request denied, in error or unanswered, no connection broken", report.errors == 0),
        ("decisions at least 80 % of the capacity", report.goodput_share >= LEAST_GOODPUT),
        ("no server above 256 MiB", report.memory_most_mib.iter().all(|most| *most <= MOST_MEMORY_MIB)),
        ("normal again within 5 s", report.normal_again_ms.is_some_and(|after| after <= within)),
    ];
    judged.into_iter().map(|(what, met)| Target { what, met }).collect()
}
