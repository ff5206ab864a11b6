//! `load`: how many checkouts and checkins a triad answers, and how fast.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use licensing_benches::conditions::{load_average, machine};
use licensing_benches::cpu::{CpuUse, CpuWatch};
use licensing_benches::limits::Limits;
use licensing_benches::load::{Load, LoadReport, Plan, parse_servers};
use licensing_benches::output::{finish, put, put_json, talk, words};
use licensing_benches::probe::DiskProbe;
use licensing_benches::triad::{TriadArgs, close_all, connect_all, serve_if_asked};
use licensing_client::SearchPath;
use licensing_server::local_triad::LocalTriad;

/// Starts three servers on this machine and lets clients check seats out and in, as fast as the answers come.
#[derive(Debug, Parser)]
#[command(name = "load", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 measured, 1 measured and clients saw errors, 2 could not be measured")]
struct Args {
    /// Sessions, each with a connection of its own and one request at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,
    /// Features the clients are spread over; each has seats enough for all
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    features: u16,
    /// How long to measure
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How long to work before that
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    warmup: u64,
    /// Ask these servers (port@host,port@host,port@host) instead of starting any; their license needs f1, f2 …
    #[arg(long, value_name = "LIST", value_parser = parse_servers)]
    servers: Option<SearchPath>,
    #[command(flatten)]
    triad: TriadArgs,
    /// One JSON object on standard output instead of the table
    #[arg(long)]
    json: bool,
}

/// Everything there is to tell.
struct Measured {
    report: LoadReport,
    cpu: CpuUse,
    /// When the servers were started here.
    here: Option<Here>,
    load_before: String,
}

/// What the machine of the servers can do, and did.
struct Here {
    limits: Limits,
    /// The slowest probe of the disk while it was measured.
    slowest_probe: Duration,
}

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    let args = Args::parse();
    finish(measure(&args).and_then(|measured| {
        if args.json {
            talk(table(&measured));
            put_json(&measured.report)?;
        } else {
            put(&table(&measured))?;
        }
        Ok(measured.report.errors)
    }))
}

/// A thread for each core serves the clients: more would only compete with the servers.
#[tokio::main(flavor = "multi_thread")]
async fn measure(args: &Args) -> anyhow::Result<Measured> {
    let load_before = load_average();
    let plan = Plan {
        clients: args.clients.into(),
        features: args.features.into(),
        measured: Duration::from_secs(args.seconds),
        warm_up: Duration::from_secs(args.warmup),
    };
    if let Some(servers) = &args.servers {
        let (report, cpu) = load(&plan, servers, None, None).await?;
        return Ok(Measured { report, cpu, here: None, load_before });
    }
    let directory = args.triad.directory()?;
    talk(format_args!("measuring the disk and the loopback"));
    let limits = Limits::measure(directory.path())?;
    let triad = args.triad.start(&directory, plan.features, plan.clients, &[]).await?;
    let probe = DiskProbe::start(directory.path())?;
    let (report, cpu) = load(&plan, &triad.search_path(), Some(&triad), Some(&probe)).await?;
    let here = Here { limits, slowest_probe: probe.slowest() };
    Ok(Measured { report, cpu, here: Some(here), load_before })
}

async fn load(
    plan: &Plan,
    servers: &SearchPath,
    triad: Option<&LocalTriad>,
    probe: Option<&DiskProbe>,
) -> anyhow::Result<(LoadReport, CpuUse)> {
    let clients = connect_all(servers, plan.clients).await?;
    talk(format_args!("{} clients are connected, {} s of warm-up", plan.clients, plan.warm_up.as_secs()));
    let load = Load::start(*plan, &clients);
    load.warmed_up().await;
    if let Some(probe) = probe {
        probe.begin();
    }
    let watch = CpuWatch::begin(triad);
    load.tell_progress().await;
    let cpu = watch.end();
    let report = load.report().await?;
    close_all(clients).await;
    Ok((report, cpu))
}

fn table(measured: &Measured) -> String {
    let Measured { report, cpu, here, load_before } = measured;
    let micros = |us| words(Duration::from_micros(us));
    let mut text = format!(
        "{} clients, {} features, {} s\n{:.0} ops/s, {} answered, {} errors; latency p50 {}, p99 {}, max {}\n",
        report.clients,
        report.features,
        report.seconds,
        report.ops_per_s,
        report.ops,
        report.errors,
        micros(report.p50_us),
        micros(report.p99_us),
        micros(report.max_us)
    );
    text.push_str(&format!("{cpu}\n"));
    if let Some(here) = here {
        text.push_str(&limits_table(&here.limits, report));
        let slowest = words(here.slowest_probe);
        text.push_str(&format!(
            "slowest probe of the disk under load (4 KiB and fdatasync, 100/s): {slowest}\n"
        ));
    }
    text.push_str(&format!("{}; load average before {load_before}, after {}", machine(), load_average()));
    text
}

fn limits_table(limits: &Limits, report: &LoadReport) -> String {
    let mut text = limits.to_string();
    let server_syncs = limits.three_writers.per_second / 3.0;
    let floor = limits.floor();
    text.push_str(&format!(
        "ratios: {:.1} ops for each fdatasync of one thread alone, {:.1} for each one of three at once; p50 is {:.1} \
         times {}, a fdatasync and two round trips\n",
        report.ops_per_s / limits.in_place.per_second,
        report.ops_per_s / server_syncs,
        Duration::from_micros(report.p50_us).as_secs_f64() / floor.as_secs_f64(),
        words(floor)
    ));
    text
}
