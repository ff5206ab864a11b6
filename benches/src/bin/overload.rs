//! `overload`: what a triad does when far more is asked of it than it can decide.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use licensing_benches::measure::cpu::CpuUse;
use licensing_benches::programs::overload::{OverloadPlan, OverloadReport, overload, seats};
use licensing_benches::show::conditions::Conditions;
use licensing_benches::show::output::{finish, micros, words};
use licensing_benches::work::triad::{TriadArgs, serve_if_asked};

/// Starts three servers on this machine, finds their capacity, and offers a multiple of it while sessions renew.
#[derive(Debug, Parser)]
#[command(name = "overload", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 measured and every target met, 1 measured and a target missed, 2 could not be measured"
)]
struct Args {
    /// How many times the capacity is offered
    #[arg(long, default_value_t = 10.0)]
    factor: f64,
    /// How long; the connections that watch the master may be silent for five minutes
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=240))]
    seconds: u64,
    /// Connections that offer it, each with up to 64 requests under way; a server takes 2048 proposals
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Sessions that hold a seat and renew meanwhile
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    renewing: u16,
    /// Clients that find the capacity, one request at a time each
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,
    /// How long that is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    peak: u64,
    /// Features all are spread over
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    features: u16,
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
    finish(args.json, measure(&args), |report| report.targets.iter().all(|target| target.met))
}

#[tokio::main(flavor = "multi_thread")]
async fn measure(args: &Args) -> anyhow::Result<(OverloadReport, String)> {
    let plan = OverloadPlan {
        clients: args.clients.into(),
        peak: Duration::from_secs(args.peak),
        factor: args.factor,
        lasting: Duration::from_secs(args.seconds),
        connections: args.connections.into(),
        renewing: args.renewing.into(),
        features: args.features.into(),
    };
    let directory = args.triad.directory()?;
    let conditions = Conditions::before_run(Some(directory.path()))?;
    let triad = args.triad.start(&directory, plan.features, seats(&plan), &[]).await?;
    let (report, cpu) = overload(&plan, &triad).await?;
    let table = table(&report, &cpu) + &conditions.after_run();
    Ok((report, table))
}

fn table(report: &OverloadReport, cpu: &CpuUse) -> String {
    let mut text = format!(
        "capacity {:.0} ops/s; for {} s {:.0} requests/s were due, {:.0}/s sent ({} may be under way)\n",
        report.peak_ops_per_s,
        report.seconds,
        report.offered_per_s,
        report.sent_per_s,
        report.window_requests
    );
    text.push_str(&format!(
        "decided {:.0}/s, {:.0} % of the capacity; p50 {}, p99 {}\n",
        report.goodput_per_s,
        report.goodput_share * 100.0,
        micros(report.decided_p50_us),
        micros(report.decided_p99_us)
    ));
    text.push_str(&format!(
        "busy {}, with a hint {} (at most {} ms), p99 {}; unknown {}, not master {}, errors {}\n",
        report.busy,
        report.busy_hinted,
        report.longest_hint_ms,
        micros(report.busy_p99_us),
        report.unknown,
        report.not_master,
        report.errors
    ));
    text.push_str(&format!(
        "changes of master {}; of {} renewing sessions {} were lost, they were without a master {} times\n",
        report.master_changes, report.renewing, report.sessions_lost, report.disconnects
    ));
    text.push_str(&format!(
        "memory of the servers {:?} MiB before, {:?} MiB at most\n",
        report.memory_before_mib, report.memory_most_mib
    ));
    let again = report.normal_again_ms.map_or("never".to_owned(), |ms| words(Duration::from_millis(ms)));
    text.push_str(&format!("normal again (p99 {} before) after {again}\n", micros(report.normal_p99_us)));
    for target in &report.targets {
        text.push_str(&format!("  {}  {}\n", if target.met { "met   " } else { "MISSED" }, target.what));
    }
    text.push_str(&format!("during the overload, {cpu}\n"));
    text
}
