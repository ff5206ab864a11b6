//! `reread`: what reading a very long license again costs those who work meanwhile.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use licensing_benches::programs::reread::{Plan, RereadReport, run};
use licensing_benches::show::conditions::Conditions;
use licensing_benches::show::output::{finish, micros};
use licensing_benches::show::targets;
use licensing_benches::work::triad::{TriadArgs, serve_if_asked};

/// Lets three servers on this machine read a license of many lines while clients take and return seats, and measures how
/// long it takes and how long their slowest answer took meanwhile.
#[derive(Debug, Parser)]
#[command(name = "reread", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 measured, also when a target was missed, 1 measured and a client saw an error or the \
    mastership moved, 2 could not be measured"
)]
struct Args {
    /// Lines of the license, at most 100,000 pools are kept
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    lines: u32,
    /// Clients that work meanwhile
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=512))]
    clients: u32,
    /// How long the quiet while before it is
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
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
    finish(args.json, measure(&args), |report| report.errors == 0 && report.master_stayed)
}

#[tokio::main(flavor = "multi_thread")]
async fn measure(args: &Args) -> anyhow::Result<(RereadReport, String)> {
    let (lines, clients) = (usize::try_from(args.lines)?, usize::try_from(args.clients)?);
    let plan = Plan { lines, clients, features: clients, quiet: Duration::from_secs(args.seconds) };
    let directory = args.triad.directory()?;
    let conditions = Conditions::before_run(Some(directory.path()))?;
    let triad = args.triad.start(&directory, plan.features, clients, &[]).await?;
    let report = run(&plan, &triad).await?;
    let table = table(&report) + &conditions.after_run();
    Ok((report, table))
}

fn table(report: &RereadReport) -> String {
    let mut text = format!("reread of {} lines beside {} clients\n", report.lines, report.clients);
    text.push_str(&format!("  answered after    {} ms\n", report.reread_ms));
    text.push_str(&format!("  slowest answer    {} before\n", micros(report.quiet_max_us)));
    text.push_str(&format!(
        "                    {} meanwhile, of {} answers\n",
        micros(report.reread_max_us),
        report.answers
    ));
    text.push_str(&format!(
        "  mastership        {}\n",
        if report.master_stayed { "stayed" } else { "MOVED" }
    ));
    text.push_str(&targets::table(&report.targets));
    text
}
