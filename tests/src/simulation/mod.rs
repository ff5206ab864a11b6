//! Services in virtual time: real code on disks in memory, over a network in memory, under a clock that jumps from one
//! event to the next. One seed decides everything, and the same seed gives the same run, step by step.
//!
//! A run has two phases. First the service works under faults: crashes that lose what was not synced, servers that
//! stand still, partitions, lost disks, wrong clocks, operators, clients that resend and clients that fall silent. Then
//! the faults end, and it must converge: the right master, and exactly the seats that were acknowledged.
//!
//! [`Triad`] is the reference server; [`Service`] is what to implement for another one:
//!
//! | to put to the test | implement |
//! |---|---|
//! | a daemon around [`licensing_raft::Node`], or a [`licensing_daemon::Daemon`] | [`NodeService`], with [`Host::start_node`] or [`Host::start_daemon`] |
//! | something small without connections | [`Service::start`] with [`Host::keep`], [`Client::ask`] with [`Network::call`] |

mod calendar;
pub mod claim;
mod clients;
mod faults;
mod happenings;
pub mod host;
pub mod network;
pub mod nodes;
mod notes;
mod options;
mod panics;
pub mod random;
mod report;
pub mod run;
pub mod service;
mod thread;
pub mod triad;
pub mod versions;

pub use faults::seen;
pub use host::Host;
pub use network::{End, Incoming, Network};
pub use nodes::{HasNode, HouseClient, NodeService, Nodes};
pub use options::Options;
pub use random::Stream;
pub use report::Report;
pub use run::{play, play_on, run};
pub use service::{Client, Servers, Service, Shown, Site};
pub use triad::{Kind, Triad};

/// Runs the reference server under the faults of one seed and judges it. The same as [`run`](run()), compiled once for all
/// who call it.
pub fn run_triad(kind: Kind, options: &Options) -> Report {
    run(Triad::of(kind), options)
}
