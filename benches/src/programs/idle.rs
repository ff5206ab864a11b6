//! What clients cost that do nothing: each has a session and a connection, and shows every three seconds that it lives.

use std::time::Duration;

use anyhow::Context;
use licensing_client::Client;
use licensing_core::id::{LogIndex, Role};
use licensing_server::local_triad::LocalTriad;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::measure::cpu::{CpuUse, CpuWatch};
use crate::measure::memory::{self, Memory, mib};
use crate::measure::recovery::status;
use crate::show::output::talk;
use crate::show::targets::Target;
use crate::work::triad::connect_some;

/// Sessions opened at the same time: a server's queue of new connections takes many more.
const AT_ONCE: usize = 256;

/// Before anything is measured: longer than the time between two heartbeats, so that every session has shown life and
/// what opening it needed is over.
const SETTLE: Duration = Duration::from_secs(6);

/// How long the servers are watched before the first session.
const BASE: Duration = Duration::from_secs(5);

/// How much, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Each with a connection of its own.
    pub sessions: usize,
    /// What is measured.
    pub measured: Duration,
}

/// What came out; the names are those of the JSON line.
#[derive(Debug, Clone, Serialize)]
pub struct IdleReport {
    /// What is wanted.
    pub targets: Vec<Target>,
    /// As planned.
    pub sessions: usize,
    /// As planned.
    pub seconds: u64,
    /// Sessions opened per second.
    pub opened_per_s: f64,
    /// Entries of the replicated log per second.
    pub log_entries_per_s: f64,
    /// In the order of the roles.
    pub servers: [IdleServer; 3],
    /// Processors in use by the process with all the clients; 1.00 is one core.
    pub clients_cores: f64,
    /// Sessions that were not there at the end, and clients without a connection.
    pub lost: u64,
}

/// What one server needs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct IdleServer {
    /// Which server.
    pub role: &'static str,
    /// Resident memory before the first session, in bytes.
    pub before_bytes: u64,
    /// Resident memory at the end, in bytes.
    pub after_bytes: u64,
    /// What was added, for each session.
    pub per_session_bytes: f64,
    /// Processors in use before the first session; 1.00 is one core.
    pub cores_before: f64,
    /// Processors in use with all sessions.
    pub cores: f64,
}

/// Measures a triad that was started for it.
pub async fn run(plan: &Plan, triad: &LocalTriad) -> anyhow::Result<(IdleReport, CpuUse)> {
    sleep(SETTLE).await;
    let before = memory::of_servers(triad)?;
    talk(format_args!("without sessions, {} s", BASE.as_secs()));
    let watch = CpuWatch::begin(Some(triad));
    sleep(BASE).await;
    let cpu_before = watch.end();
    let begun = Instant::now();
    let clients = connect_slowly(plan.sessions, triad).await?;
    let opened_per_s = (plan.sessions as f64 / begun.elapsed().as_secs_f64()).round();
    sleep(SETTLE).await;

    talk(format_args!("{} sessions are idle, {} s", plan.sessions, plan.measured.as_secs()));
    let index = last_index(triad).await?;
    let (watch, begun) = (CpuWatch::begin(Some(triad)), Instant::now());
    sleep(plan.measured).await;
    let cpu = watch.end();
    let entries = last_index(triad).await?.0 - index.0;
    let log_entries_per_s = entries as f64 / begun.elapsed().as_secs_f64();
    let after = memory::of_servers(triad)?;
    let servers = Role::ALL.map(|role| IdleServer::of(plan, role, [&before, &after], [&cpu_before, &cpu]));
    let mut report = IdleReport {
        targets: Vec::new(),
        sessions: plan.sessions,
        seconds: plan.measured.as_secs(),
        opened_per_s,
        log_entries_per_s: (log_entries_per_s * 100.0).round() / 100.0,
        servers,
        clients_cores: share(&cpu, "clients"),
        lost: lost(&clients, triad).await?,
    };
    report.targets = targets(&report);
    Ok((report, cpu))
}

/// What ten thousand sessions may cost.
fn targets(report: &IdleReport) -> Vec<Target> {
    let worst = |figure: fn(&IdleServer) -> f64| report.servers.iter().map(figure).fold(0.0, f64::max);
    let added = |server: &IdleServer| mib(server.after_bytes.saturating_sub(server.before_bytes));
    vec![
        Target::at_most("worst_server_added_mib", worst(added), 64.0),
        Target::at_most("log_entries_per_s", report.log_entries_per_s, 5.0),
        Target::at_most("worst_server_core_percent", worst(|server| server.cores * 100.0), 5.0),
    ]
}

/// Opens the sessions; a line for each thousand goes to stderr.
async fn connect_slowly(sessions: usize, triad: &LocalTriad) -> anyhow::Result<Vec<Client>> {
    let servers = triad.search_path();
    let mut clients = Vec::with_capacity(sessions);
    while clients.len() < sessions {
        let (first, told) = (clients.len(), clients.len() / 1000);
        let some = first..sessions.min(first + AT_ONCE);
        clients.extend(connect_some(&servers, some).await?);
        if clients.len() / 1000 > told {
            talk(format_args!("{:6} sessions", clients.len()));
        }
    }
    Ok(clients)
}

/// The last entry that the master has applied, of whatever kind.
async fn last_index(triad: &LocalTriad) -> anyhow::Result<LogIndex> {
    let page = status(triad, Role::Primary).await?;
    let own = page.servers.iter().find(|server| server.role == Role::Primary);
    own.and_then(|server| server.applied_index).context("the primary does not say what it has applied")
}

async fn lost(clients: &[Client], triad: &LocalTriad) -> anyhow::Result<u64> {
    let there = status(triad, Role::Primary).await?.sessions;
    let unconnected = clients.iter().filter(|client| client.server().is_none()).count();
    Ok((clients.len() as u64).saturating_sub(there) + unconnected as u64)
}

fn share(cpu: &CpuUse, name: &str) -> f64 {
    let share = cpu.shares.iter().find_map(|(known, share)| (known == name).then_some(*share));
    (share.unwrap_or_default() * 10_000.0).round() / 10_000.0
}

impl IdleServer {
    fn of(plan: &Plan, role: Role, memory: [&[Memory; 3]; 2], cpu: [&CpuUse; 2]) -> IdleServer {
        let [before, after] = memory.map(|servers| servers[role.place()].resident_bytes);
        let [cores_before, cores] = cpu.map(|cpu| share(cpu, role.name()));
        IdleServer {
            role: role.name(),
            before_bytes: before,
            after_bytes: after,
            per_session_bytes: ((after as f64 - before as f64) / plan.sessions as f64).round(),
            cores_before,
            cores,
        }
    }
}
