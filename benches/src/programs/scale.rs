//! A triad with very many live checkouts: whether a checkout is still as fast as in an empty one, what memory it takes,
//! whether snapshots of it hold anybody up, and how long servers need to return.
//!
//! Everything happens in one run on one triad: the same clients ask the empty one and the full one, and what is compared
//! was measured minutes apart on the same machine.

use std::time::Duration;

use anyhow::{Context, bail};
use licensing_client::Client;
use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use serde::Serialize;
use tokio::time::sleep;

use crate::measure::cpu::{CpuUse, CpuWatch};
use crate::measure::memory::{self, Memory};
use crate::measure::probe::DiskProbe;
use crate::measure::recovery::{self, Return};
use crate::measure::snapshots::{Building, Built, SnapshotWatch};
use crate::show::output::talk;
use crate::show::targets::Target;
use crate::work::answers::{Answered, Latency, Work, Worked};
use crate::work::fill::Filling;
use crate::work::triad::{close_all, connect_all};

/// Before memory is read: the snapshot of the last entries is written, what was freed is given back.
const SETTLE: Duration = Duration::from_secs(3);

/// What goes before each measurement and is not measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// Checkouts and checkins a second while snapshots are looked at: few enough that the servers are not at their limit, and so
/// many that a million checkouts, which are written down every 140,000 entries, are written down several times.
const CALM_RATE: f64 = 10_000.0;

/// The same while servers return: a triad at work, not at its limit.
const RETURN_RATE: f64 = 500.0;

/// How much, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Live checkouts, one seat each.
    pub checkouts: u64,
    /// Sessions that hold them.
    pub sessions: usize,
    /// Clients that are measured, each with a session, a connection and one request at a time.
    pub clients: usize,
    /// Features all of it is spread over.
    pub features: usize,
    /// How long the clients are measured, empty and full.
    pub measured: Duration,
    /// How long snapshots are looked at.
    pub snapshots: Duration,
}

/// What came out; the names are those of the JSON line.
#[derive(Debug, Clone, Serialize)]
pub struct ScaleReport {
    /// What is wanted.
    pub targets: Vec<Target>,
    /// As planned.
    pub checkouts: u64,
    /// As planned.
    pub sessions: usize,
    /// As planned.
    pub clients: usize,
    /// As planned.
    pub features: usize,
    /// Sessions opened per second while filling.
    pub fill_sessions_per_s: f64,
    /// Checkouts granted per second while filling.
    pub fill_checkouts_per_s: f64,
    /// Requests of the filling that were sent again, because nobody said what became of them.
    pub fill_resent: u64,
    /// Checkouts of the clients while nobody else holds a seat.
    pub empty: Speed,
    /// The same with all checkouts live.
    pub full: Speed,
    /// See the fields; in the order of the roles.
    pub memory: [ServerMemory; 3],
    /// Answers while snapshots are built, and while none is.
    pub snapshots: SnapshotReport,
    /// The tertiary, killed, with the disk it had.
    pub restart_standby: Return,
    /// The secondary, killed, with an empty data directory.
    pub empty_directory: Return,
    /// All three, killed together.
    pub restart_all: Return,
    /// Requests of the clients without a definite answer, or denied.
    pub errors: u64,
    /// Checkouts that were not there any more at the end.
    pub lost_checkouts: u64,
}

/// How fast the clients were.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Speed {
    /// Checkouts and checkins answered per second.
    pub ops_per_s: f64,
    /// Of checkouts only.
    pub checkout: Latency,
}

/// Resident memory of one server.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ServerMemory {
    /// Which server.
    pub role: &'static str,
    /// With the measured clients only, after their first load.
    pub empty_bytes: u64,
    /// With all sessions, which hold nothing yet.
    pub sessions_bytes: u64,
    /// With all checkouts.
    pub full_bytes: u64,
    /// The most it had until then, which is while a snapshot is built.
    pub peak_bytes: u64,
    /// After the standbys have returned; they are new processes then, which took all checkouts from disk or from another
    /// server.
    pub returned_bytes: u64,
    /// What one session added.
    pub per_session_bytes: f64,
    /// What one checkout added, the sessions left out.
    pub per_checkout_bytes: f64,
    /// What one checkout and its part of a session added.
    pub per_checkout_with_session_bytes: f64,
}

/// What snapshots did to answers.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SnapshotReport {
    /// How many were built by all three servers together.
    pub built: usize,
    /// Length of the longest file.
    pub longest_bytes: u64,
    /// Median time to turn the state into bytes.
    pub encode_ms: f64,
    /// Median time to write and sync them.
    pub write_ms: f64,
    /// The slowest probe of the disk meanwhile: what everybody on this machine had to wait.
    pub slowest_probe_ms: f64,
    /// Answers that were waited for while a server built one.
    pub while_building: Latency,
    /// All others.
    pub otherwise: Latency,
    /// How much later the slowest answer of the first kind came than the slowest of the second; negative when it came
    /// earlier.
    pub slowest_delay_ms: f64,
}

/// Plays all of it on a triad that was started for it. Beside the figures: who used the processors while the full triad
/// was measured.
pub async fn run(plan: &Plan, triad: &mut LocalTriad) -> anyhow::Result<(ScaleReport, CpuUse)> {
    let clients = connect_all(&triad.search_path(), plan.clients).await?;
    let empty = speed("empty triad", plan, &clients).await?;
    let empty_memory = settled_memory(triad).await?;

    let master = triad.address(Role::Primary);
    let mut filling = Filling::new(master, plan.features, plan.sessions, plan.checkouts)?;
    let fill_sessions_per_s = filling.open_sessions().await?.round();
    let sessions_memory = settled_memory(triad).await?;
    let fill_checkouts_per_s = filling.take_checkouts().await?.round();
    let full_memory = settled_memory(triad).await?;
    if lost(plan, triad).await? > 0 {
        bail!("the triad does not hold what it has granted");
    }

    let watch = CpuWatch::begin(Some(triad));
    let full = speed("full triad", plan, &clients).await?;
    let cpu = watch.end();
    let (snapshots, snapshot_errors) = look_at_snapshots(plan, triad, &clients).await?;
    let (restart_standby, empty_directory, return_errors) = let_return(plan, triad, &clients).await?;
    let returned_memory = settled_memory(triad).await?;
    close_all(clients).await;
    talk(format_args!("all three servers are killed and started again"));
    let restart_all = recovery::restart_all(triad).await?;
    let memory = Role::ALL.map(|role| {
        let at = |memory: &[Memory; 3]| memory[role.place()];
        let stages = [&empty_memory, &sessions_memory, &full_memory, &returned_memory];
        ServerMemory::of(plan, role, stages.map(at))
    });
    let mut report = ScaleReport {
        targets: Vec::new(),
        checkouts: plan.checkouts,
        sessions: plan.sessions,
        clients: plan.clients,
        features: plan.features,
        fill_sessions_per_s,
        fill_checkouts_per_s,
        fill_resent: filling.resent,
        empty: empty.0,
        full: full.0,
        memory,
        snapshots,
        restart_standby,
        empty_directory,
        restart_all,
        errors: empty.1 + full.1 + snapshot_errors + return_errors,
        lost_checkouts: lost(plan, triad).await?,
    };
    report.targets = targets(&report);
    Ok((report, cpu))
}

/// The figures a triad with a million checkouts is to reach.
fn targets(report: &ScaleReport) -> Vec<Target> {
    let ratio = report.full.checkout.p99_us as f64 / report.empty.checkout.p99_us.max(1) as f64;
    let memory = report.memory.iter().map(|server| server.per_checkout_with_session_bytes);
    vec![
        Target::at_most("checkout_p99_full_to_empty_ratio", ratio, 1.5),
        Target::at_most("worst_server_per_checkout_bytes", memory.fold(0.0, f64::max), 300.0),
        Target::at_most("snapshot_slowest_delay_ms", report.snapshots.slowest_delay_ms, 5.0),
        Target::at_most("standby_caught_up_ms", report.restart_standby.caught_up_ms, 3000.0),
        Target::at_most("all_three_serving_ms", report.restart_all.caught_up_ms, 3000.0),
        Target::at_most("empty_directory_caught_up_ms", report.empty_directory.caught_up_ms, 10_000.0),
    ]
}

/// How fast the clients are when they ask as fast as they get answers, and their errors.
async fn speed(what: &str, plan: &Plan, clients: &[Client]) -> anyhow::Result<(Speed, u64)> {
    talk(format_args!("{what}: {} clients, {} s", plan.clients, plan.measured.as_secs()));
    let warmed = Work::start(clients, plan.features, None).stop_after(WARM_UP).await?;
    let worked = Work::start(clients, plan.features, None).stop_after(plan.measured).await?;
    let speed = Speed { ops_per_s: worked.per_second(), checkout: worked.checkouts()? };
    talk(format_args!("{what}: {:.0} ops/s, p99 of checkouts {} µs", speed.ops_per_s, speed.checkout.p99_us));
    Ok((speed, warmed.errors + worked.errors))
}

async fn settled_memory(triad: &LocalTriad) -> anyhow::Result<[Memory; 3]> {
    sleep(SETTLE).await;
    let memory = memory::of_servers(triad)?;
    let words = memory.map(|server| memory::mebibytes(server.resident_bytes));
    talk(format_args!("memory of the servers: {}", words.join(", ")));
    Ok(memory)
}

/// So often does each of the clients ask, for all of them together to ask at this rate.
fn once_in(clients: usize, ops_per_s: f64) -> Duration {
    // A checkout and a checkin.
    Duration::from_secs_f64(2.0 * clients as f64 / ops_per_s)
}

async fn look_at_snapshots(
    plan: &Plan,
    triad: &LocalTriad,
    clients: &[Client],
) -> anyhow::Result<(SnapshotReport, u64)> {
    talk(format_args!("looking at snapshots for {} s at {CALM_RATE:.0} ops/s", plan.snapshots.as_secs()));
    let watch = SnapshotWatch::start(triad).context("cannot watch the data directories")?;
    let probe = DiskProbe::start(triad.directory()).context("cannot probe the disk")?;
    let work = Work::start(clients, plan.features, Some(once_in(plan.clients, CALM_RATE)));
    let worked = work.stop_after(plan.snapshots).await?;
    let built = watch.stop()?;
    Ok((SnapshotReport::of(&worked, &built, probe.slowest())?, worked.errors))
}

/// Two standbys, one after the other, while the clients work.
async fn let_return(
    plan: &Plan,
    triad: &mut LocalTriad,
    clients: &[Client],
) -> anyhow::Result<(Return, Return, u64)> {
    let work = Work::start(clients, plan.features, Some(once_in(plan.clients, RETURN_RATE)));
    talk(format_args!("the tertiary is killed and started again"));
    let restarted = recovery::restart(triad, Role::Tertiary).await?;
    talk(format_args!("the secondary is killed and started again with an empty data directory"));
    let replaced = recovery::replace_disk(triad, Role::Secondary).await?;
    Ok((restarted, replaced, work.stop().await?.errors))
}

/// How many of the checkouts the master does not have.
async fn lost(plan: &Plan, triad: &LocalTriad) -> anyhow::Result<u64> {
    let status = recovery::status(triad, Role::Primary).await?;
    let held: u64 = status.features.iter().map(|feature| u64::from(feature.in_use.0)).sum();
    Ok(plan.checkouts.saturating_sub(held))
}

impl ServerMemory {
    fn of(plan: &Plan, role: Role, [empty, sessions, full, returned]: [Memory; 4]) -> ServerMemory {
        let each = |from: Memory, to: Memory, count: u64| {
            let grown = to.resident_bytes as f64 - from.resident_bytes as f64;
            (grown / count.max(1) as f64 * 10.0).round() / 10.0
        };
        ServerMemory {
            role: role.name(),
            empty_bytes: empty.resident_bytes,
            sessions_bytes: sessions.resident_bytes,
            full_bytes: full.resident_bytes,
            peak_bytes: full.peak_bytes,
            returned_bytes: returned.resident_bytes,
            per_session_bytes: each(empty, sessions, plan.sessions as u64),
            per_checkout_bytes: each(sessions, full, plan.checkouts),
            per_checkout_with_session_bytes: each(empty, full, plan.checkouts),
        }
    }
}

impl SnapshotReport {
    fn of(worked: &Worked, built: &[Built], slowest_probe: Duration) -> anyhow::Result<SnapshotReport> {
        let building = Building::during(worked, built);
        let is_held_up = |answer: &&Answered| building.iter().any(|building| building.overlaps(answer));
        let (while_building, otherwise): (Vec<&Answered>, Vec<&Answered>) =
            worked.answers.iter().partition(is_held_up);
        let (while_building, otherwise) =
            (Latency::of(while_building.into_iter())?, Latency::of(otherwise.into_iter())?);
        Ok(SnapshotReport {
            built: building.len(),
            longest_bytes: built.iter().map(|snapshot| snapshot.bytes).max().unwrap_or(0),
            encode_ms: median_ms(building.iter().map(|building| building.encoded - building.from)),
            write_ms: median_ms(building.iter().map(|building| building.until - building.encoded)),
            slowest_probe_ms: median_ms(std::iter::once(slowest_probe)),
            while_building,
            otherwise,
            slowest_delay_ms: (while_building.max_us as f64 - otherwise.max_us as f64) / 1000.0,
        })
    }
}

fn median_ms(durations: impl Iterator<Item = Duration>) -> f64 {
    crate::measure::gaps::Distribution::of(durations.collect()).median
}
