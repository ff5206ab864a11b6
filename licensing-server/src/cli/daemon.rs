//! `licensing-server`: serve, check a file, make a key, show a failover.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use licensing_admin::console::finish;

use super::serve::ServeArgs;
use super::{check, demo, peer_key, serve};

/// A license server for floating seats: three servers, any two serve, no seat is lost or counted twice.
#[derive(Debug, Parser)]
#[command(name = "licensing-server", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 could not start or had to stop, 2 bad usage")]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run one of the three servers until SIGTERM or SIGINT
    Serve(ServeArgs),
    /// Read a license file and say what it means, or what is wrong with it
    Check {
        /// The license file
        file: PathBuf,
    },
    /// Make a key for the three servers, or for administrators: 64 hex digits
    #[command(name = "peer-key")]
    PeerKey {
        /// File to make, readable by its owner only; an existing file is never overwritten [default: standard output]
        file: Option<PathBuf>,
    },
    /// Start three servers, kill the master under load, and show that no seat is lost
    Demo {
        /// One JSON object instead of the timeline
        #[arg(long)]
        json: bool,
        /// One server instead of three: it is killed and started again
        #[arg(long)]
        single: bool,
    },
}

/// Entry point of the program.
pub fn main() -> ExitCode {
    finish(match Cli::parse().verb {
        Verb::Serve(args) => serve::serve(args),
        Verb::Check { file } => check::check(&file),
        Verb::PeerKey { file } => peer_key::make(file.as_deref()),
        Verb::Demo { json, single } => demo::demo(json, single),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn help_reads_well() {
        insta::assert_snapshot!(licensing_admin::console::whole_help(super::Cli::command()));
    }
}
