//! `failover`: how long clients wait while the master goes away and comes back.

use std::process::ExitCode;

use clap::Parser;
use licensing_benches::conditions::{load_average, machine};
use licensing_benches::failover::{DISK_STALL, FailoverReport, How, Observed, run};
use licensing_benches::output::{finish, put, put_json, talk, words};
use licensing_benches::triad::{TriadArgs, serve_if_asked};

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
    finish(measure(&args).and_then(|(report, table)| {
        if args.json {
            talk(table);
            put_json(&report)?;
        } else {
            put(&table)?;
        }
        Ok(report.errors)
    }))
}

#[tokio::main(flavor = "multi_thread")]
async fn measure(args: &Args) -> anyhow::Result<(FailoverReport, String)> {
    let load_before = load_average();
    let (rounds, clients) = (usize::from(args.rounds), usize::from(args.clients));
    let directory = args.triad.directory()?;
    let mut triad = args.triad.start(&directory, 1, clients, &NO_HOLD).await?;
    let observed = run(&mut triad, args.how, rounds, clients).await?;
    let report = FailoverReport {
        failover_ms: observed.failover.longest(),
        handback_ms: observed.handback.longest(),
        errors: observed.errors,
        rounds,
        quiet_ms: observed.quiet.longest(),
        clients,
        how: args.how.name(),
        profile: args.triad.profile.name(),
    };
    let mut table = table(&report, &observed);
    table.push_str(&format!("{}; load average before {load_before}, after {}", machine(), load_average()));
    Ok((report, table))
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
