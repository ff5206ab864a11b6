//! Runs the reference server in virtual time under faults: `cargo run --release -p licensing-tests --bin sim -- --seeds 100`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use licensing_core::mutant::Mutant;
use licensing_tests::judge_file::judge_file;
use licensing_tests::oracle::Verdict;
use licensing_tests::simulation::{Kind, Options, Report, run_triad};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);

/// Runs triads and single servers in virtual time under faults, and judges every step.
#[derive(Parser)]
struct Arguments {
    /// Runs this seed only, and prints all about it.
    #[arg(long, conflicts_with_all = ["seeds", "minutes"])]
    seed: Option<u64>,
    /// Runs this many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Begins with this seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Runs seeds for so many minutes, however many that are.
    #[arg(long)]
    minutes: Option<f64>,
    /// Which service: `triad`, `upgrade` (a triad of servers of two versions), `single` (one server). Each seed has one of its
    /// own unless set; mutants are hunted in triads.
    #[arg(long)]
    kind: Option<Kind>,
    /// Virtual seconds under faults of each run.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Clients that work all the time.
    #[arg(long, default_value_t = 6)]
    clients: u32,
    /// Runs on so many threads; as many as there are processors unless set.
    #[arg(long)]
    threads: Option<usize>,
    /// Plants this bug first (see tests/README.md), in a build of its own, and stops at the first run that notices.
    #[arg(long)]
    mutant: Option<Mutant>,
    /// Logs what servers and harness do, with virtual time: a filter such as `info` or `licensing_raft=debug`.
    #[arg(long, value_name = "FILTER", requires = "seed")]
    log: Option<String>,
    /// Writes the history of the run here, one JSON object a line; of the first bad run when there are many.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Judges a recorded history instead.
    #[arg(long, value_name = "HISTORY", conflicts_with_all = ["seed", "seeds", "minutes", "mutant", "trace"])]
    judge: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(history) = &arguments.judge {
        return judge(history);
    }
    #[cfg(licensing_mutants)]
    licensing_core::mutant::plant(arguments.mutant);
    #[cfg(not(licensing_mutants))]
    if arguments.mutant.is_some() {
        return with_mutants();
    }
    if let Some(filter) = &arguments.log {
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_timer(VirtualTime::default());
        log.with_writer(std::io::stderr).with_ansi(false).init();
    }
    let mut sum = Sum::default();
    let begun = Instant::now();
    let mut told = Instant::now();
    let (from, until) = match arguments.seed {
        Some(seed) => (seed, seed + 1),
        None if arguments.minutes.is_some() => (arguments.from, u64::MAX),
        None => (arguments.from, arguments.from + arguments.seeds),
    };
    let deadline = arguments.minutes.map(|minutes| begun + Duration::from_secs_f64(minutes * 60.0));
    let threads =
        arguments.threads.or(std::thread::available_parallelism().map(usize::from).ok()).unwrap_or(1);
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let (reporting, reports) = mpsc::channel();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        for _ in 0..threads {
            let reporting = reporting.clone();
            scope.spawn(|| {
                let reporting = reporting;
                while !stop.load(Ordering::SeqCst)
                    && deadline.is_none_or(|deadline| Instant::now() < deadline)
                {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= until || reporting.send(run_one(&arguments, seed)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(reporting);
        for (options, report) in reports {
            sum.add(&report);
            if !report.violations.is_empty() {
                tell_bad(&arguments, &options, &report);
                if sum.bad == 1 {
                    save_trace(&arguments, &report)?;
                }
                stop.fetch_or(arguments.mutant.is_some(), Ordering::SeqCst);
            }
            if arguments.seed.is_some() {
                eprintln!("trace {}", report.trace);
                if report.violations.is_empty() {
                    save_trace(&arguments, &report)?;
                }
            }
            if told.elapsed() > PROGRESS {
                told = Instant::now();
                eprintln!("{}", sum.line(begun));
            }
        }
        Ok(())
    })?;
    eprintln!("{}", sum.line(begun));
    for (what, count) in &sum.counts {
        eprintln!("  {count:>9} {what}");
    }
    let wanted = arguments.must_see().into_iter();
    let missing: Vec<&str> = wanted.filter(|what| !sum.counts.contains_key(what)).collect();
    if arguments.mutant.is_none() && arguments.seed.is_none() && !missing.is_empty() {
        eprintln!("never seen, so nothing is proved about it: {}", missing.join(", "));
        return Ok(ExitCode::FAILURE);
    }
    Ok(if sum.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// There are none in this program: does the same with the one that has them, which is built first where it must be.
#[cfg(not(licensing_mutants))]
fn with_mutants() -> anyhow::Result<ExitCode> {
    eprintln!("there are no mutants in this program; going on with the `sim` that has them");
    let own = std::env::current_exe()?;
    let folder = own.parent().context("this program lies in no folder")?;
    let target = folder.parent().context("this program lies in no target directory")?;
    let mut cargo = licensing_tests::mutants::cargo("build");
    cargo.args(["--quiet", "--workspace", "--bin", "sim"]).env("CARGO_TARGET_DIR", target);
    let built = cargo.status().context("cannot start cargo")?;
    anyhow::ensure!(built.success(), "cannot build the `sim` with mutants: cargo ended with {built}");
    let with = target.join("mutants").join(folder.file_name().unwrap_or_default()).join("sim");
    let mut sim = std::process::Command::new(&with);
    let ended = sim.args(std::env::args_os().skip(1)).status();
    let ended = ended.with_context(|| format!("cannot start {}", with.display()))?;
    Ok(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Arguments {
    fn kind_of(&self, seed: u64) -> Kind {
        self.kind.unwrap_or(if self.mutant.is_some() { Kind::Triad } else { Kind::of(seed) })
    }

    /// What a run set like this must have seen.
    fn must_see(&self) -> BTreeSet<&'static str> {
        let kinds = Kind::ALL.into_iter().filter(|kind| self.kind.is_none_or(|wanted| wanted == *kind));
        kinds.flat_map(Kind::must_see).collect()
    }
}

fn run_one(arguments: &Arguments, seed: u64) -> (Options, Report) {
    let options = Options {
        duration: Duration::from_secs(arguments.seconds),
        clients: arguments.clients,
        ..Options::of(seed)
    };
    let report = run_triad(arguments.kind_of(seed), &options);
    (options, report)
}

fn tell_bad(arguments: &Arguments, options: &Options, report: &Report) {
    let seed = options.seed;
    eprintln!("{report}");
    let mutant = arguments.mutant.map_or(String::new(), |mutant| format!(" --mutant {mutant}"));
    eprintln!(
        "trace {}, version {}\nreplay: cargo run --release -p licensing-tests --bin sim -- \
         --seed {seed} --kind {} --seconds {} --clients {}{mutant}",
        report.trace,
        licensing_tests::version(),
        arguments.kind_of(seed),
        arguments.seconds,
        arguments.clients
    );
}

fn save_trace(arguments: &Arguments, report: &Report) -> anyhow::Result<()> {
    let Some(path) = &arguments.trace else { return Ok(()) };
    report.history.save(path).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("the history is in {}", path.display());
    Ok(())
}

/// Seconds since the first line, as the run counts them.
#[derive(Default)]
struct VirtualTime(OnceLock<tokio::time::Instant>);

impl FormatTime for VirtualTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        let now = tokio::time::Instant::now();
        write!(writer, "{:10.6}", (now - *self.0.get_or_init(|| now)).as_secs_f64())
    }
}

/// All runs together.
#[derive(Default)]
struct Sum {
    runs: u64,
    bad: u64,
    simulated: Duration,
    verdict: Verdict,
    counts: BTreeMap<&'static str, u64>,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.bad += u64::from(!report.violations.is_empty());
        self.simulated += report.simulated;
        self.verdict.add(&report.verdict);
        for (what, count) in &report.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    fn line(&self, begun: Instant) -> String {
        let Verdict { granted, denied, returned, unknown, reads, .. } = self.verdict;
        format!(
            "{} seeds, {} bad, {:.0} seeds a minute: {:.2} simulated hours in {:.0} s, {} acknowledged operations ({granted} granted, {denied} \
             denied, {returned} returned), {unknown} unknown, {reads} states compared",
            self.runs,
            self.bad,
            self.runs as f64 * 60.0 / begun.elapsed().as_secs_f64(),
            self.simulated.as_secs_f64() / 3600.0,
            begun.elapsed().as_secs_f64(),
            granted + denied + returned,
        )
    }
}

fn judge(history: &Path) -> anyhow::Result<ExitCode> {
    let judgement = judge_file(history).with_context(|| format!("cannot judge {}", history.display()))?;
    writeln!(io::stdout(), "{judgement}")?;
    Ok(match (judgement.is_good(), judgement.is_determined()) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(2),
        (false, _) => ExitCode::FAILURE,
    })
}
