//! `load`: how many checkouts and checkins a triad answers, and how fast.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use licensing_benches::measure::cpu::CpuWatch;
use licensing_benches::measure::limits::Limits;
use licensing_benches::measure::probe::DiskProbe;
use licensing_benches::programs::load::{Load, LoadReport, Plan, parse_servers};
use licensing_benches::rivals::comparison::{Comparison, LimitsRow, Measured, Point, Points, RivalRow};
use licensing_benches::rivals::{Rival, RivalClients, RivalLayout};
use licensing_benches::show::conditions::{Conditions, machine};
use licensing_benches::show::output::{finish, talk, words};
use licensing_benches::work::seats::{Seats, TriadSeats};
use licensing_benches::work::triad::{TriadArgs, close_all, connect_all, serve_if_asked};
use licensing_client::SearchPath;

/// Starts three servers on this machine and lets clients check seats out and in, as fast as the answers come.
#[derive(Debug, Parser)]
#[command(name = "load", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 measured, 1 measured and clients saw errors, 2 could not be measured")]
struct Args {
    /// Sessions, each with a connection of its own and one request at a time; of a list (1,64,512) each is measured,
    /// one after the other, on servers of its own
    #[arg(long, value_name = "LIST", default_value = "64", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    clients: Vec<u16>,
    /// Features the clients are spread over; each has seats enough for all
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    features: u16,
    /// How long to measure
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How long to work before that
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    warmup: u64,
    /// Measure this one after the triad, at the same work on the same disk; may be given more than once
    #[arg(long, value_enum)]
    rival: Vec<Rival>,
    /// How seats lie in etcd
    #[arg(long, value_enum, default_value_t)]
    rival_layout: RivalLayout,
    /// Draw throughput over clients
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Ask these servers (port@host,port@host,port@host) instead of starting any; their license needs f1, f2 …
    #[arg(long, value_name = "LIST", value_parser = parse_servers, conflicts_with = "rival")]
    servers: Option<SearchPath>,
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
    finish(args.json, measure(&args), |comparison| {
        comparison.points.all().iter().all(|point| point.errors() == 0)
    })
}

/// A thread for each core serves the clients: more would only compete with the servers.
#[tokio::main(flavor = "multi_thread")]
async fn measure(args: &Args) -> anyhow::Result<(Comparison, String)> {
    let (rivals, missing): (Vec<Rival>, Vec<Rival>) = args.rival.iter().partition(|rival| rival.is_there());
    let directory = args.triad.directory()?;
    let conditions = Conditions::before_run(args.servers.is_none().then_some(directory.path()))?;
    let (mut points, mut text) = (Vec::new(), String::new());
    for clients in &args.clients {
        let plan = Plan {
            clients: usize::from(*clients),
            features: args.features.into(),
            measured: Duration::from_secs(args.seconds),
            warm_up: Duration::from_secs(args.warmup),
        };
        let ours = measure_triad(args, &plan).await?;
        let mut rows = Vec::new();
        for rival in &rivals {
            rows.push(measure_rival(args, *rival, &plan, &ours.report).await?);
        }
        let point = Point { ours, rivals: rows };
        text.push_str(&point.table());
        if let Some(limits) = &conditions.limits {
            text.push_str(&ratios(limits, &point.ours.report));
        }
        points.push(point);
    }
    text.push_str(&conditions.after_run());
    let comparison = Comparison {
        points: Points::of(points),
        limits: conditions.limits.as_ref().map(LimitsRow::from),
        missing_rivals: missing.into_iter().map(Rival::name).collect(),
    };
    if let Some(file) = &args.plot {
        let conditions = format!("{}; {} s for each point", machine(), args.seconds);
        comparison.points.plot(&conditions).write(file)?;
    }
    Ok((comparison, text))
}

/// A triad of its own, unless the servers run elsewhere.
async fn measure_triad(args: &Args, plan: &Plan) -> anyhow::Result<Measured> {
    let directory = args.triad.directory()?;
    let (triad, servers) = match &args.servers {
        Some(servers) => (None, servers.clone()),
        None => {
            let triad = args.triad.start(&directory, plan.features, plan.clients, &[]).await?;
            let servers = triad.search_path();
            (Some(triad), servers)
        }
    };
    let clients = connect_all(&servers, plan.clients).await?;
    let seats = TriadSeats::of(&clients, &servers, plan.features);
    let disk = triad.is_some().then_some(directory.path());
    let measured = drive("triad", plan, seats, disk, || CpuWatch::begin(triad.as_ref())).await?;
    close_all(clients).await;
    Ok(measured)
}

async fn measure_rival(
    args: &Args,
    rival: Rival,
    plan: &Plan,
    ours: &LoadReport,
) -> anyhow::Result<RivalRow> {
    let directory = args.triad.directory()?;
    talk(format_args!("starting {}", rival.name()));
    let running = rival.start(directory.path(), plan).await?;
    let (name, disk, watch) = (rival.name(), Some(directory.path()), || CpuWatch::of(running.processes()));
    let measured = match running.clients(plan, args.rival_layout).await? {
        RivalClients::SeatKeys(seats) => drive(name, plan, seats, disk, watch).await,
        RivalClients::Counters(seats) => drive(name, plan, seats, disk, watch).await,
        RivalClients::Postgres(seats) => drive(name, plan, seats, disk, watch).await,
    };
    let head = (name, running.version(), rival.layout(args.rival_layout));
    Ok(RivalRow::new(head, ours, measured?))
}

/// The same for every system: warm-up, then the load, with a look at the disk and at the processors.
async fn drive<S: Seats>(
    name: &str,
    plan: &Plan,
    seats: Vec<S>,
    disk: Option<&Path>,
    watch: impl FnOnce() -> CpuWatch,
) -> anyhow::Result<Measured> {
    let probe = disk.map(DiskProbe::start).transpose()?;
    talk(format_args!("{name}: {} clients, {} s of warm-up", plan.clients, plan.warm_up.as_secs()));
    let load = Load::start(*plan, seats);
    load.warmed_up().await;
    if let Some(probe) = &probe {
        probe.begin();
    }
    let watch = watch();
    load.tell_progress().await;
    let cpu = watch.end();
    let slowest = probe.map(|probe| probe.slowest());
    Ok(Measured::new(load.report().await?, &cpu, slowest))
}

/// What the triad made of the machine.
fn ratios(limits: &Limits, report: &LoadReport) -> String {
    let server_syncs = limits.three_writers.per_second / 3.0;
    let floor = limits.floor();
    format!(
        "triad: {:.1} ops for each fdatasync of one thread alone, {:.1} for each one of three at once; p50 is {:.1} \
         times {}, a fdatasync and two round trips\n",
        report.ops_per_s / limits.in_place.per_second,
        report.ops_per_s / server_syncs,
        Duration::from_micros(report.p50_us).as_secs_f64() / floor.as_secs_f64(),
        words(floor)
    )
}
