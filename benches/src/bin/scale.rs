//! `scale`: what a triad does with a million live checkouts.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use licensing_benches::measure::cpu::CpuUse;
use licensing_benches::measure::memory::mebibytes;
use licensing_benches::measure::recovery::Return;
use licensing_benches::programs::scale::{Plan, ScaleReport, run};
use licensing_benches::show::conditions::Conditions;
use licensing_benches::show::output::{finish, micros};
use licensing_benches::show::targets;
use licensing_benches::work::answers::Latency;
use licensing_benches::work::triad::{TriadArgs, serve_if_asked};

/// The sessions that are filled in have no client that would give signs of life: they must outlast the run.
const GRACE: [&str; 2] = ["--session-grace", "2h"];

/// Fills three servers on this machine with checkouts and measures what that does to clients, memory, snapshots and
/// returning servers.
#[derive(Debug, Parser)]
#[command(name = "scale", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 measured, also when a target was missed, 1 measured and clients saw errors or \
    checkouts were lost, 2 could not be measured"
)]
struct Args {
    /// Live checkouts, one seat each
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    checkouts: u64,
    /// Sessions that hold them; servers keep 200,000
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    sessions: u32,
    /// Clients that are measured, each with a connection of its own and one request at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,
    /// Features all of it is spread over
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    features: u16,
    /// How long to measure the clients, once empty and once full
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How long to look at snapshots
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    snapshot_seconds: u64,
    #[command(flatten)]
    triad: TriadArgs,
    /// One JSON object on standard output instead of the table
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    let args = Args::parse();
    finish(args.json, measure(&args), |report| report.errors + report.lost_checkouts == 0)
}

#[tokio::main(flavor = "multi_thread")]
async fn measure(args: &Args) -> anyhow::Result<(ScaleReport, String)> {
    let plan = Plan {
        checkouts: args.checkouts,
        sessions: usize::try_from(args.sessions)?,
        clients: args.clients.into(),
        features: args.features.into(),
        measured: Duration::from_secs(args.seconds),
        snapshots: Duration::from_secs(args.snapshot_seconds),
    };
    let directory = args.triad.directory()?;
    let conditions = Conditions::before_run(Some(directory.path()))?;
    let seats = usize::try_from(plan.checkouts)? + plan.clients;
    let mut triad = args.triad.start(&directory, plan.features, seats, &GRACE).await?;
    let (report, cpu) = run(&plan, &mut triad).await?;
    let table = table(&report, &cpu) + &conditions.after_run();
    Ok((report, table))
}

fn table(report: &ScaleReport, cpu: &CpuUse) -> String {
    let mut text = format!(
        "{} checkouts of {} sessions, {} clients, {} features\n\
         filled with {} sessions/s and {} checkouts/s, {} requests sent again; {} errors, {} checkouts lost\n",
        report.checkouts,
        report.sessions,
        report.clients,
        report.features,
        report.fill_sessions_per_s,
        report.fill_checkouts_per_s,
        report.fill_resent,
        report.errors,
        report.lost_checkouts
    );
    for (what, speed) in [("empty", &report.empty), ("full", &report.full)] {
        let checkout = latency(&speed.checkout);
        text.push_str(&format!("{what:<6} {:>6.0} ops/s, checkout {checkout}\n", speed.ops_per_s));
    }
    text.push_str(&memory_table(report));
    text.push_str(&snapshot_table(report));
    text.push_str("servers that return, from the start of the process\n");
    let returns = [
        ("tertiary, its disk", &report.restart_standby, "caught up"),
        ("secondary, empty disk", &report.empty_directory, "caught up"),
        ("all three", &report.restart_all, "primary serves"),
    ];
    for (who, Return { ready_ms, caught_up_ms, snapshots_taken }, done) in returns {
        text.push_str(&format!(
            "  {who:<22} ready {ready_ms:>8.1} ms, {done} {caught_up_ms:>8.1} ms, {snapshots_taken} snapshots taken\n"
        ));
    }
    text.push_str(&targets::table(&report.targets));
    text.push_str(&format!("while the full triad was measured, {cpu}\n"));
    text
}

fn latency(latency: &Latency) -> String {
    let Latency { answers, p50_us, p99_us, max_us } = *latency;
    format!("p50 {:>8}, p99 {:>8}, max {:>8} ({answers})", micros(p50_us), micros(p99_us), micros(max_us))
}

fn memory_table(report: &ScaleReport) -> String {
    let mut text =
        "memory          empty, with sessions, full, at its peak, after the returns; bytes for each\n"
            .to_owned();
    for server in &report.memory {
        text.push_str(&format!(
            "  {:<10} {:>9} {:>9} {:>9} {:>9} {:>9}; session {:.0}, checkout {:.0}, both per checkout {:.0}\n",
            server.role,
            mebibytes(server.empty_bytes),
            mebibytes(server.sessions_bytes),
            mebibytes(server.full_bytes),
            mebibytes(server.peak_bytes),
            mebibytes(server.returned_bytes),
            server.per_session_bytes,
            server.per_checkout_bytes,
            server.per_checkout_with_session_bytes
        ));
    }
    text
}

fn snapshot_table(report: &ScaleReport) -> String {
    let snapshots = &report.snapshots;
    format!(
        "{} snapshots of {}: {:.1} ms to encode, {:.1} ms to write (medians); slowest probe of the disk {:.1} ms\n  \
         while one is built {}\n  otherwise          {}\n",
        snapshots.built,
        mebibytes(snapshots.longest_bytes),
        snapshots.encode_ms,
        snapshots.write_ms,
        snapshots.slowest_probe_ms,
        latency(&snapshots.while_building),
        latency(&snapshots.otherwise)
    )
}
