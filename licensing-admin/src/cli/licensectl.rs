//! `licensectl`: what administrators and scripts ask.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use licensing_client::protocol::Upgrade;
use licensing_core::id::{Handle, Role};

use super::checkout::CheckoutArgs;
use super::failover::Choice;
use super::servers::ServerArgs;
use super::{
    checkin, checkout, down, failover, health, maintenance, primary, remove, reread, status, upgrade,
    vendor_data,
};
use crate::console::{Failure, finish, runtime};
use crate::exit::Exit;

/// Look after a license triad: who is master, who holds seats, planned failovers, maintenance.
#[derive(Debug, Parser)]
#[command(name = "licensectl", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done or granted, 1 denied or unhealthy, 2 could not find out or bad usage"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    servers: ServerArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show servers, seats and who holds them; works on any live server, also without a quorum
    Status {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print host:port of the master; exit code 2 when there is none
    Primary,
    /// Tell whether a master serves and all servers are up, one line for each; exit code 1 when not
    Health,
    /// Take seats: for a command, until a signal comes (--hold), or just to see whether they are granted
    Checkout(CheckoutArgs),
    /// Give seats back by their handle: with the holder's token, or as administrator
    Checkin {
        /// The handle `checkout` printed
        handle: u64,
        /// The token `checkout --json` printed; without it the seats are taken away by administrative right
        #[arg(long, value_name = "HEX")]
        token: Option<String>,
    },
    /// Take seats away from whoever holds them, for administrators
    #[command(
        override_usage = "licensectl remove FEATURE USER HOST DISPLAY\n       licensectl remove --handle HANDLE"
    )]
    Remove {
        /// FEATURE USER HOST DISPLAY as `status` shows them: all checkouts that match
        #[arg(num_args = 4, value_names = ["FEATURE", "USER", "HOST", "DISPLAY"], required_unless_present = "handle")]
        holder: Vec<String>,
        /// One checkout by its handle
        #[arg(long, conflicts_with = "holder")]
        handle: Option<u64>,
    },
    /// Hand mastership over and wait until it is done, for administrators
    Failover {
        /// Who is to be master; none leaves it to the rules again
        #[arg(long)]
        to: Choice,
    },
    /// Keep a server from being master, or allow it again, for administrators
    Maintenance {
        /// Which server
        #[arg(long, value_name = "primary|secondary|tertiary")]
        server: Role,
        /// Keep it from being master
        #[arg(long, required_unless_present = "disable", conflicts_with = "disable")]
        enable: bool,
        /// Allow it again
        #[arg(long)]
        disable: bool,
    },
    /// Let the master read its license file again and serve what it says, for administrators
    Reread,
    /// Show which edition of the rules applies while servers are upgraded one by one; or decide, for administrators
    #[command(group = clap::ArgGroup::new("act").multiple(false))]
    Upgrade {
        /// Show it (the default)
        #[arg(long, group = "act")]
        status: bool,
        /// Apply the newest edition that all servers know, now
        #[arg(long, group = "act")]
        finish: bool,
        /// Apply no newer edition until --finish
        #[arg(long, group = "act")]
        hold: bool,
        /// Apply a newer edition once all servers have known it for an hour, as usual
        #[arg(long, group = "act")]
        release: bool,
    },
    /// Show what daemons and applications keep beside the seats, for administrators
    VendorData {
        /// One JSON object, bytes as hexadecimal digits
        #[arg(long)]
        json: bool,
    },
    /// Stop all servers of the triad, for administrators
    Down {
        /// Do not ask first
        #[arg(long)]
        yes: bool,
    },
}

/// Entry point of the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    finish(runtime().and_then(|runtime| {
        let result = runtime.block_on(run(cli));
        // A command's last words are said; nothing in the background is worth waiting for.
        runtime.shutdown_background();
        result
    }))
}

async fn run(cli: Cli) -> Result<Exit, Failure> {
    let servers = cli.servers.resolve()?;
    match cli.verb {
        Verb::Status { json } => status::status(&servers, json).await,
        Verb::Primary => primary::primary(&servers).await,
        Verb::Health => health::health(&servers).await,
        Verb::Checkout(args) => checkout::checkout(&servers, args).await,
        Verb::Checkin { handle, token } => checkin::checkin(&servers, Handle(handle), token).await,
        Verb::Remove { holder, handle } => remove::remove(&servers, holder, handle.map(Handle)).await,
        Verb::Failover { to } => failover::failover(&servers, to).await,
        Verb::Maintenance { server, enable, .. } => maintenance::maintenance(&servers, server, enable).await,
        Verb::Reread => reread::reread(&servers).await,
        Verb::Upgrade { finish, hold, release, .. } => {
            let acts = [(finish, Upgrade::Finish), (hold, Upgrade::Hold), (release, Upgrade::Release)];
            let act = acts.into_iter().find_map(|(asked, act)| asked.then_some(act));
            upgrade::upgrade(&servers, act).await
        }
        Verb::VendorData { json } => vendor_data::vendor_data(&servers, json).await,
        Verb::Down { yes } => down::down(&servers, yes).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_reads_well() {
        insta::assert_snapshot!(crate::console::whole_help(Cli::command()));
    }

    /// A command line, and a word of the complaint about it; none when it is fine.
    #[test]
    fn mistakes_on_the_command_line_are_told() {
        for (line, complaint) in [
            ("status --json", None),
            ("-c 1@a,1@b,1@c status", None),
            ("status -c 1@a", None),
            ("-c nowhere status", Some("is no server")),
            ("remove f1 ann ws-07 /dev/tty", None),
            ("remove --handle 7", None),
            ("remove f1 ann", Some("4 values")),
            ("remove", Some("required")),
            ("failover --to secondary", None),
            ("failover --to none", None),
            ("failover --to tertiary", Some("possible values: primary, secondary, none")),
            ("maintenance --server primary --enable", None),
            ("maintenance --server primary --disable", None),
            ("maintenance --server primary", Some("--enable")),
            ("maintenance --server quaternary --enable", Some("`quaternary` is not a role")),
            ("checkout f1 -- make -j4", None),
            ("checkout f1 --hold -- make", Some("cannot be used with")),
            ("checkout f1 --count many", Some("invalid value 'many'")),
            ("--timeout soon status", Some("is not a duration")),
        ] {
            let parsed = Cli::try_parse_from(["licensectl"].into_iter().chain(line.split(' ')));
            match (parsed, complaint) {
                (Ok(_), None) => {}
                (Ok(_), Some(complaint)) => panic!("`{line}` was accepted, expected: {complaint}"),
                (Err(error), None) => panic!("`{line}`: {error}"),
                (Err(error), Some(complaint)) => {
                    assert!(error.to_string().contains(complaint), "`{line}`: {error}");
                }
            }
        }
    }
}
