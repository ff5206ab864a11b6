//! `growth`: whether a triad under full load stays as large as it is, on disk and in memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use licensing_benches::measure::cpu::{CpuUse, CpuWatch};
use licensing_benches::measure::memory::mib;
use licensing_benches::programs::growth::{Course, Sample, ServerCourse, courses, plot};
use licensing_benches::programs::load::{Load, LoadReport, Plan};
use licensing_benches::show::conditions::{Conditions, machine};
use licensing_benches::show::output::{finish, talk};
use licensing_benches::work::seats::TriadSeats;
use licensing_benches::work::triad::{TriadArgs, close_all, connect_all, serve_if_asked};
use licensing_server::local_triad::LocalTriad;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

/// Starts three servers on this machine, loads them fully, and watches what they take of disk and memory.
#[derive(Debug, Parser)]
#[command(name = "growth", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 measured and flat, 1 measured and something grew or clients saw errors, 2 could not be measured"
)]
struct Args {
    /// How long to load; growth that matters in a month shows in an hour
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// Sessions, each with a connection of its own and one request at a time
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,
    /// Features the clients are spread over
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    features: u16,
    /// Between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    every: f64,
    /// Write every look to this file, as a table of comma-separated values
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw every look as SVG
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    triad: TriadArgs,
    /// One JSON object on standard output instead of the table
    #[arg(long)]
    json: bool,
}

/// What came out; the names are those of the JSON line.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether nothing grew.
    flat: bool,
    /// The primary first.
    servers: Vec<ServerCourse>,
    /// Looks taken.
    samples: usize,
    /// The load that was put on them.
    load: LoadReport,
}

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    let args = Args::parse();
    finish(args.json, measure(&args), |report| report.flat && report.load.errors == 0)
}

#[tokio::main(flavor = "multi_thread")]
async fn measure(args: &Args) -> anyhow::Result<(Report, String)> {
    let seconds = |seconds: f64, flag| {
        Duration::try_from_secs_f64(seconds).with_context(|| format!("{flag} {seconds} is no time to wait"))
    };
    let measured = seconds(args.minutes * 60.0, "--minutes")?;
    let every = seconds(args.every, "--every")?.max(Duration::from_millis(100));
    let plan = Plan {
        clients: args.clients.into(),
        features: args.features.into(),
        measured,
        warm_up: Duration::ZERO,
    };
    let directory = args.triad.directory()?;
    let conditions = Conditions::before_run(Some(directory.path()))?;
    let triad = args.triad.start(&directory, plan.features, plan.clients, &[]).await?;
    let clients = connect_all(&triad.search_path(), plan.clients).await?;
    let load = Load::start(plan, TriadSeats::of(&clients, &triad.search_path(), plan.features));
    let watch = CpuWatch::begin(Some(&triad));
    let samples = sample(&triad, measured, every, args.csv.as_deref()).await?;
    let cpu = watch.end();
    let load = load.report().await?;
    close_all(clients).await;
    if let Some(file) = &args.plot {
        let about = format!("{} clients, {:.0} ops/s; {}", load.clients, load.ops_per_s, machine());
        plot(&samples, &about).write(file)?;
    }
    let servers = courses(&samples);
    let flat = servers.iter().all(|server| server.directory.flat && server.rss.flat);
    let report = Report { flat, servers, samples: samples.len(), load };
    let table = table(&report, &cpu) + &conditions.after_run();
    Ok((report, table))
}

async fn sample(
    triad: &LocalTriad,
    measured: Duration,
    every: Duration,
    csv: Option<&Path>,
) -> anyhow::Result<Vec<Sample>> {
    let about = || format!("cannot write {}", csv.unwrap_or(Path::new("the table")).display());
    let mut out = csv.map(File::create).transpose().with_context(about)?.map(BufWriter::new);
    if let Some(out) = &mut out {
        Sample::csv_head(out).with_context(about)?;
    }
    let begun = Instant::now();
    let mut samples = Vec::new();
    for number in 0.. {
        let at = every * number;
        if at > measured {
            break;
        }
        sleep_until(begun + at).await;
        let sample = Sample::take(triad, begun.elapsed())?;
        if let Some(out) = &mut out {
            // One that is interrupted after half an hour has half an hour of looks.
            sample.csv_line(out).and_then(|()| out.flush()).with_context(about)?;
        }
        let looks = sample.servers.map(|look| format!("{:.1}+{:.1}", mib(look.directory), mib(look.memory)));
        talk(format_args!(
            "{:6.0} s, MiB on disk + in memory: {}",
            sample.at.as_secs_f64(),
            looks.join(", ")
        ));
        samples.push(sample);
    }
    Ok(samples)
}

fn table(report: &Report, cpu: &CpuUse) -> String {
    let mut text = format!(
        "{} clients, {} s: {:.0} ops/s, {} errors; {} looks\n",
        report.load.clients, report.load.seconds, report.load.ops_per_s, report.load.errors, report.samples
    );
    let line = |what: &str, course: &Course| {
        format!(
            "  {what:<20} first {:>7.1}, last {:>7.1}, most {:>7.1} MiB; second half {:>+8.2} MB/hour: {}\n",
            mib(course.first_bytes),
            mib(course.last_bytes),
            mib(course.max_bytes),
            course.slope_mb_per_hour,
            if course.flat { "flat" } else { "GREW" }
        )
    };
    for server in &report.servers {
        text.push_str(&line(&format!("{} directory", server.role), &server.directory));
        text.push_str(&format!(
            "  {:<20} of it the journal {:.1} MiB at last, {:.1} at the most\n",
            "",
            mib(server.journal_last_bytes),
            mib(server.journal_max_bytes)
        ));
        text.push_str(&line(&format!("{} memory", server.role), &server.rss));
    }
    text.push_str("flat: the second half grew by less than a tenth or less than 8 MiB\n");
    text.push_str(&format!("{cpu}\n"));
    text
}
