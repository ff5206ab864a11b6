//! The triad that is measured: three processes of the program that measures, on a real disk.
//!
//! No other binary has to be built first: a benchmark that is started with `serve` as its first argument is
//! `licensing-server serve`, with the code that was linked into the benchmark.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use licensing_client::{Client, ClientConfig, SearchPath};
use licensing_core::command::Identity;
use licensing_core::id::Role;
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use rustix::fs::statfs;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// The verb [`LocalTriad`] starts a server with.
const SERVE: &str = "serve";

/// File systems without a disk: their `fdatasync` does nothing.
const IN_MEMORY: [(&str, i64); 2] = [("tmpfs", 0x0102_1994), ("ramfs", 0x8584_58f6)];

/// Runs a server if that is what this process was started for; otherwise the caller goes on.
pub fn serve_if_asked() -> Option<ExitCode> {
    let asked = std::env::args_os().nth(1).is_some_and(|verb| verb == SERVE);
    asked.then(licensing_server::cli::daemon::main)
}

/// How the measured triad is set up: the flags both programs have.
#[derive(Debug, Clone, Args)]
pub struct TriadArgs {
    /// How fast the servers notice a dead master
    #[arg(long, value_enum, default_value_t)]
    pub profile: Profile,
    /// Directory for the servers' data, on the disk to measure [default: beside this program]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// See `licensing-server serve --profile`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Heartbeat and lease 50 / 300 ms
    #[default]
    Default,
    /// 30 / 150 ms
    Fast,
}

impl Profile {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Default => "default",
            Profile::Fast => "fast",
        }
    }
}

impl TriadArgs {
    /// An empty directory on the disk that is measured; refuses file systems without one.
    pub fn directory(&self) -> anyhow::Result<TempDir> {
        let parent = match &self.data {
            Some(directory) => directory.clone(),
            None => program()?.parent().unwrap_or(Path::new(".")).to_owned(),
        };
        let about = || format!("cannot use {} for the servers' data", parent.display());
        std::fs::create_dir_all(&parent).with_context(about)?;
        let kind = statfs(&parent).with_context(about)?.f_type;
        if let Some((name, _)) = IN_MEMORY.iter().find(|(_, magic)| kind == *magic) {
            bail!(
                "{} is on {name}, which has no disk to measure: name another with --data",
                parent.display()
            );
        }
        tempfile::Builder::new().prefix("licensing-bench-").tempdir_in(&parent).with_context(about)
    }

    /// Starts a triad with `features` features of `seats` seats each below this directory, and waits until the
    /// primary is master. `arguments` are further ones of `licensing-server serve`.
    pub async fn start(
        &self,
        directory: &TempDir,
        features: usize,
        seats: usize,
        arguments: &[&str],
    ) -> anyhow::Result<LocalTriad> {
        let lines = (0..features).map(|number| {
            format!("FEATURE {} demo 1.0 permanent {} SIGN=0\n", feature_name(number), seats.max(1))
        });
        let own = ["--profile", self.profile.name()];
        let options = TriadOptions {
            features: lines.collect(),
            primary_is_master: true,
            arguments: own.iter().chain(arguments).map(|argument| (*argument).to_owned()).collect(),
            parent_directory: Some(directory.path().to_owned()),
            ..TriadOptions::default()
        };
        let triad = LocalTriad::start(program()?, options).await?;
        triad.wait_until_master(Role::Primary).await?;
        Ok(triad)
    }
}

fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot find this program to start it three times")
}

/// `f1` and so on.
pub fn feature_name(number: usize) -> String {
    format!("f{}", number + 1)
}

/// Opens a session; `number` tells the clients apart in listings.
pub async fn connect(servers: SearchPath, number: usize) -> anyhow::Result<Client> {
    let mut config = ClientConfig::new(servers);
    config.identity = Identity {
        user: format!("user-{}", number + 1),
        host: "bench".to_owned(),
        display: "/dev/null".to_owned(),
        pid: std::process::id(),
        project: String::new(),
    };
    Client::connect(config).await.with_context(|| format!("client {} cannot connect", number + 1))
}

/// Opens so many sessions, all at once.
pub async fn connect_all(servers: &SearchPath, clients: usize) -> anyhow::Result<Vec<Client>> {
    connect_some(servers, 0..clients).await
}

/// Opens the sessions with these numbers, all at once.
pub async fn connect_some(servers: &SearchPath, numbers: Range<usize>) -> anyhow::Result<Vec<Client>> {
    let mut connecting = JoinSet::new();
    for number in numbers {
        connecting.spawn(connect(servers.clone(), number));
    }
    connecting.join_all().await.into_iter().collect()
}

/// Closes the sessions, all at once. One that is gone already is as good.
pub async fn close_all(clients: Vec<Client>) {
    let mut closing = JoinSet::new();
    for client in clients {
        closing.spawn(client.close());
    }
    closing.join_all().await;
}
