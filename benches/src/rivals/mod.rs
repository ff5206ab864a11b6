//! Rivals: well-known programs that do the same work on the same disk in the same minutes, so that a rate of ours is not a
//! number in the air.
//!
//! A rival is started with its own defaults and asked in the way that is best for it; where a choice was ours, it is in its
//! favour and stands beside the figure in `benches/README.md`. Rivals end with this program, however it ends.

use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;

use crate::programs::load::Plan;
use crate::show::output::talk;

pub mod comparison;
pub mod etcd;
pub mod etcd_rpc;
pub mod etcd_seats;
pub mod failover;
pub mod postgres;
pub mod process;

use etcd::EtcdServers;
use etcd_seats::{Counters, SeatKeys};
use postgres::{PostgresSeats, PostgresServer};

/// A program to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rival {
    /// Three etcd processes, replicated through Raft
    Etcd,
    /// One PostgreSQL server, on one disk without a second copy
    Postgres,
}

/// How seats lie in etcd.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RivalLayout {
    /// A key for each seat, each client with one of its own: nobody ever waits for another; etcd's best
    #[default]
    SeatKeys,
    /// A number for each feature, changed by compare-and-retry
    Counter,
}

impl Rival {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Rival::Etcd => "etcd",
            Rival::Postgres => "postgres",
        }
    }

    /// Whether it can be started on this machine; if not, stderr says why and what helps.
    pub fn is_there(self) -> bool {
        let missing = self.missing();
        if let Some(why) = &missing {
            talk(format_args!("goes on without {}: {why}", self.name()));
        }
        missing.is_none()
    }

    fn missing(self) -> Option<String> {
        if process::find_program(process::SETPRIV).is_none() {
            return Some("setpriv is not on the PATH; it is part of util-linux".to_owned());
        }
        match self {
            Rival::Etcd => etcd::missing(),
            Rival::Postgres => postgres::missing(),
        }
    }

    /// How the seats lie in it, for the head of a row.
    pub fn layout(self, wanted: RivalLayout) -> &'static str {
        match (self, wanted) {
            (Rival::Etcd, RivalLayout::SeatKeys) => "seat-keys",
            (Rival::Etcd, RivalLayout::Counter) => "counter",
            (Rival::Postgres, _) => "counter-and-rows",
        }
    }

    /// Starts it below this directory, ready for the clients of the plan.
    ///
    /// To be called from the main task: the rival ends with the thread that starts it.
    pub async fn start(self, directory: &Path, plan: &Plan) -> anyhow::Result<RunningRival> {
        match self {
            Rival::Etcd => {
                let program = etcd::program().context("etcd is not installed")?;
                Ok(RunningRival::Etcd(EtcdServers::start(program, directory).await?))
            }
            Rival::Postgres => {
                let programs = postgres::programs().context("PostgreSQL is not installed")?;
                let server = PostgresServer::start(&programs, directory, plan.features, plan.clients);
                Ok(RunningRival::Postgres(server.await?))
            }
        }
    }
}

/// A rival at work; dropping ends it.
#[derive(Debug)]
pub enum RunningRival {
    /// Three members.
    Etcd(EtcdServers),
    /// One server.
    Postgres(PostgresServer),
}

/// Clients of a rival, of one of the kinds there are.
#[derive(Debug)]
pub enum RivalClients {
    /// Of etcd.
    SeatKeys(Vec<SeatKeys>),
    /// Of etcd.
    Counters(Vec<Counters>),
    /// Of PostgreSQL.
    Postgres(Vec<PostgresSeats>),
}

impl RunningRival {
    /// What it says of its version.
    pub fn version(&self) -> &str {
        match self {
            RunningRival::Etcd(servers) => servers.version(),
            RunningRival::Postgres(server) => server.version(),
        }
    }

    /// Names and process ids, for [`crate::measure::cpu::CpuWatch`].
    pub fn processes(&self) -> Vec<(String, Vec<u32>)> {
        match self {
            RunningRival::Etcd(servers) => servers.processes(),
            RunningRival::Postgres(server) => server.processes(),
        }
    }

    /// The clients of the plan.
    pub async fn clients(&self, plan: &Plan, layout: RivalLayout) -> anyhow::Result<RivalClients> {
        let (clients, features) = (plan.clients, plan.features);
        Ok(match (self, layout) {
            (RunningRival::Etcd(servers), RivalLayout::SeatKeys) => {
                RivalClients::SeatKeys(SeatKeys::of(servers.doors(), clients, features).await?)
            }
            (RunningRival::Etcd(servers), RivalLayout::Counter) => {
                RivalClients::Counters(Counters::of(servers.doors(), clients, features).await?)
            }
            (RunningRival::Postgres(server), _) => RivalClients::Postgres(server.seats(clients, features)),
        })
    }
}
