//! `idle`: what ten thousand sessions cost that do nothing.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use licensing_benches::measure::cpu::CpuUse;
use licensing_benches::measure::memory::mebibytes;
use licensing_benches::programs::idle::{IdleReport, Plan, run};
use licensing_benches::show::conditions::Conditions;
use licensing_benches::show::output::finish;
use licensing_benches::show::targets;
use licensing_benches::work::files::allow_connections;
use licensing_benches::work::triad::{TriadArgs, serve_if_asked};

/// Connects many clients to three servers on this machine and measures what they cost while they only show that they
/// live.
#[derive(Debug, Parser)]
#[command(name = "idle", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 measured, also when a target was missed, 1 measured and sessions or connections were \
    lost, 2 could not be measured"
)]
struct Args {
    /// Sessions, each with a connection of its own; a server takes 20,000
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    sessions: u32,
    /// How long to measure
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
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
    finish(args.json, measure(&args), |report| report.lost == 0)
}

#[tokio::main(flavor = "multi_thread")]
async fn measure(args: &Args) -> anyhow::Result<(IdleReport, String)> {
    let plan =
        Plan { sessions: usize::try_from(args.sessions)?, measured: Duration::from_secs(args.seconds) };
    allow_connections(plan.sessions)?;
    let directory = args.triad.directory()?;
    let conditions = Conditions::before_run(Some(directory.path()))?;
    let triad = args.triad.start(&directory, 1, 1, &[]).await?;
    let (report, cpu) = run(&plan, &triad).await?;
    let table = table(&report, &cpu) + &conditions.after_run();
    Ok((report, table))
}

fn table(report: &IdleReport, cpu: &CpuUse) -> String {
    let mut text = format!(
        "{} idle sessions, {} s; opened with {} sessions/s; {:.2} log entries/s; {} lost\n\
         memory of the servers, and processors in use\n",
        report.sessions, report.seconds, report.opened_per_s, report.log_entries_per_s, report.lost
    );
    for server in &report.servers {
        text.push_str(&format!(
            "  {:<10} before {:>11}, after {:>11}, {:>6.0} bytes per session; cores before {:.3}, after {:.3}\n",
            server.role,
            mebibytes(server.before_bytes),
            mebibytes(server.after_bytes),
            server.per_session_bytes,
            server.cores_before,
            server.cores
        ));
    }
    text.push_str(&targets::table(&report.targets));
    text.push_str(&format!("{cpu}\n"));
    text
}
