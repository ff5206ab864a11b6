//! Peers: well-known programs that do the same work on the same disk in the same minutes, so that a rate of ours is not a
//! number in the air.
//!
//! A peer is started with its own defaults and asked in the way that is best for it; where a choice was ours, it is in its
//! favour and stands beside the figure in `benches/README.md`. Peers end with this program, however it ends.

use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;

use crate::load::Plan;
use crate::output::talk;

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
pub enum Peer {
    /// Three etcd processes, replicated through Raft
    Etcd,
    /// One PostgreSQL server, on one disk without a second copy
    Postgres,
}

/// How seats lie in etcd.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PeerLayout {
    /// A key for each seat, each client with one of its own: nobody ever waits for another; etcd's best
    #[default]
    SeatKeys,
    /// A number for each feature, changed by compare-and-retry
    Counter,
}

impl Peer {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Etcd => "etcd",
            Peer::Postgres => "postgres",
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
            Peer::Etcd => etcd::missing(),
            Peer::Postgres => postgres::missing(),
        }
    }

    /// How the seats lie in it, for the head of a row.
    pub fn layout(self, wanted: PeerLayout) -> &'static str {
        match (self, wanted) {
            (Peer::Etcd, PeerLayout::SeatKeys) => "seat-keys",
            (Peer::Etcd, PeerLayout::Counter) => "counter",
            (Peer::Postgres, _) => "counter-and-rows",
        }
    }

    /// Starts it below this directory, ready for the clients of the plan.
    ///
    /// To be called from the main task: the peer ends with the thread that starts it.
    pub async fn start(self, directory: &Path, plan: &Plan) -> anyhow::Result<RunningPeer> {
        match self {
            Peer::Etcd => {
                let program = etcd::program().context("etcd is not installed")?;
                Ok(RunningPeer::Etcd(EtcdServers::start(program, directory).await?))
            }
            Peer::Postgres => {
                let programs = postgres::programs().context("PostgreSQL is not installed")?;
                let server = PostgresServer::start(&programs, directory, plan.features, plan.clients);
                Ok(RunningPeer::Postgres(server.await?))
            }
        }
    }
}

/// A peer at work; dropping ends it.
#[derive(Debug)]
pub enum RunningPeer {
    /// Three members.
    Etcd(EtcdServers),
    /// One server.
    Postgres(PostgresServer),
}

/// Clients of a peer, of one of the kinds there are.
#[derive(Debug)]
pub enum PeerClients {
    /// Of etcd.
    SeatKeys(Vec<SeatKeys>),
    /// Of etcd.
    Counters(Vec<Counters>),
    /// Of PostgreSQL.
    Postgres(Vec<PostgresSeats>),
}

impl RunningPeer {
    /// What it says of its version.
    pub fn version(&self) -> &str {
        match self {
            RunningPeer::Etcd(servers) => servers.version(),
            RunningPeer::Postgres(server) => server.version(),
        }
    }

    /// Names and process ids, for [`crate::cpu::CpuWatch`].
    pub fn processes(&self) -> Vec<(String, Vec<u32>)> {
        match self {
            RunningPeer::Etcd(servers) => servers.processes(),
            RunningPeer::Postgres(server) => server.processes(),
        }
    }

    /// The clients of the plan.
    pub async fn clients(&self, plan: &Plan, layout: PeerLayout) -> anyhow::Result<PeerClients> {
        let (clients, features) = (plan.clients, plan.features);
        Ok(match (self, layout) {
            (RunningPeer::Etcd(servers), PeerLayout::SeatKeys) => {
                PeerClients::SeatKeys(SeatKeys::of(servers.doors(), clients, features).await?)
            }
            (RunningPeer::Etcd(servers), PeerLayout::Counter) => {
                PeerClients::Counters(Counters::of(servers.doors(), clients, features).await?)
            }
            (RunningPeer::Postgres(server), _) => PeerClients::Postgres(server.seats(clients, features)),
        })
    }
}
