//! `failover`: how long clients wait while the master goes away and comes back.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use licensing_benches::measure::trace::{plot, typical};
use licensing_benches::programs::failover::{FailoverReport, How, Observed, run};
use licensing_benches::rivals::Rival;
use licensing_benches::rivals::failover::{Observed as RivalObserved, run as run_rival};
use licensing_benches::show::conditions::{Conditions, machine};
use licensing_benches::show::output::{finish, words};
use licensing_benches::work::crowd::DISK_STALL;
use licensing_benches::work::triad::{TriadArgs, serve_if_asked};

/// Given back at once, however often it has crashed: here it always has.
const NO_HOLD: [&str; 2] = ["--failback-hold", "0s"];

/// Takes the master away from three servers on this machine, again and again, while clients check seats out and in.
#[derive(Debug, Parser)]
#[command(name = "failover", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 measured, 1 measured and clients saw errors, 2 could not be measured")]
struct Args {
    /// How often
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Clients at work meanwhile
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,
    /// How the master goes away
    #[arg(long, value_enum, default_value_t)]
    how: How,
    /// Measure this one after the triad: its leader is killed with SIGKILL, whatever --how says
    #[arg(long, value_parser = replicated_rival())]
    rival: Option<Rival>,
    /// How often the rival's leader is killed
    #[arg(long, value_name = "ROUNDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rival_rounds: u16,
    /// Draw the waits of clients through one round, the one whose result is the median
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    triad: TriadArgs,
    /// One JSON object on standard output instead of the table
    #[arg(long)]
    json: bool,
}

/// The one with somebody to take over.
fn replicated_rival() -> impl TypedValueParser<Value = Rival> {
    PossibleValuesParser::new([Rival::Etcd.name()]).map(|_| Rival::Etcd)
}

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    let args = Args::parse();
    finish(args.json, measure(&args), |report| report.errors == 0)
}

#[tokio::main(flavor = "multi_thread")]
async fn measure(args: &Args) -> anyhow::Result<(FailoverReport, String)> {
    let conditions = Conditions::before_run(None)?;
    let (rounds, clients) = (usize::from(args.rounds), usize::from(args.clients));
    let ours = {
        let directory = args.triad.directory()?;
        let mut triad = args.triad.start(&directory, 1, clients, &NO_HOLD).await?;
        run(&mut triad, args.how, rounds, clients, args.plot.is_some()).await?
    };
    let theirs = measure_rival(args).await?;
    let failover_ms = ours.failover.longest();
    let report = FailoverReport {
        failover_ms,
        handback_ms: ours.handback.longest(),
        errors: ours.errors,
        rounds,
        quiet_ms: ours.quiet.longest(),
        clients,
        how: args.how.name(),
        profile: args.triad.profile.name(),
        rival: theirs.as_ref().map(|theirs| theirs.report(&failover_ms)),
    };
    draw(args, &ours, theirs.as_ref())?;
    let mut table = table(&report, &ours);
    if let Some(theirs) = &theirs {
        table.push_str(&rival_table(&report, theirs));
    }
    table.push_str(&conditions.after_run());
    Ok((report, table))
}

/// After the triad, on the same disk with as many clients.
async fn measure_rival(args: &Args) -> anyhow::Result<Option<RivalObserved>> {
    if !args.rival.is_some_and(Rival::is_there) {
        return Ok(None);
    }
    let directory = args.triad.directory()?;
    let (rounds, clients) = (usize::from(args.rival_rounds), usize::from(args.clients));
    Ok(Some(run_rival(directory.path(), rounds, clients, args.plot.is_some()).await?))
}

fn draw(args: &Args, ours: &Observed, theirs: Option<&RivalObserved>) -> anyhow::Result<()> {
    let (Some(file), Some(round)) = (&args.plot, typical(&ours.traces)) else { return Ok(()) };
    let theirs = theirs.and_then(|theirs| Some(("etcd", typical(&theirs.traces)?)));
    let conditions =
        format!("{}; {} clients, profile {}", machine(), args.clients, args.triad.profile.name());
    plot(round, theirs, &conditions).write(file)
}

fn table(report: &FailoverReport, observed: &Observed) -> String {
    let FailoverReport { rounds, clients, how, profile, errors, .. } = report;
    let mut text = format!(
        "{rounds} rounds of {how}, {clients} clients, profile {profile}, {errors} errors\n\
         longest time between two answers, of the client that waited longest\n"
    );
    let windows = [
        ("the secondary takes over", &observed.failover),
        ("the primary takes over again", &observed.handback),
        ("undisturbed", &observed.quiet),
    ];
    for (name, windows) in windows {
        text.push_str(&format!("  {name:<30} {}\n", windows.longest()));
    }
    text.push_str(&format!("the same where no probe of the disk took longer than {}\n", words(DISK_STALL)));
    for (name, windows) in windows {
        let calm = windows.with_calm_disk();
        text.push_str(&format!("  {name:<30} {} ({} rounds)\n", calm.longest(), calm.count()));
    }
    text.push_str("longest time between two answers, of every client\n");
    for (name, windows) in windows {
        text.push_str(&format!("  {name:<30} {}\n", windows.every_client()));
    }
    text
}

fn rival_table(report: &FailoverReport, theirs: &RivalObserved) -> String {
    let Some(rival) = &report.rival else { return String::new() };
    let mut text = format!(
        "{} {}: {} rounds of SIGKILL to the leader, {} requests without an answer\n",
        rival.system, rival.version, rival.rounds, rival.unknown
    );
    for (name, windows) in [("another member takes over", &theirs.failover), ("undisturbed", &theirs.quiet)] {
        text.push_str(&format!("  {name:<30} {}\n", windows.longest()));
    }
    text.push_str(&format!("  triad / {}: {:.2} of the median\n", rival.system, rival.median_ratio));
    text
}
