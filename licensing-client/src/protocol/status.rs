//! The state of a triad, as one server tells it.

use std::net::IpAddr;

use licensing_core::Keeper;
use licensing_core::edition::Edition;
use licensing_core::id::{Handle, LogIndex, PoolId, Role, Seats, Timestamp};
use serde::{Deserialize, Serialize};

use super::request::Place;

/// A page of the triad's state, as one server knows it. Only the first page carries more than pools and checkouts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusPage {
    /// Role of the server that answers.
    pub answered_by: Role,
    /// The master, if this server knows one.
    pub master: Option<Role>,
    /// Whether a quorum is in reach as far as this server knows.
    pub quorum: bool,
    /// The operator's choice of a master.
    pub preferred: Option<Role>,
    /// State time.
    pub at: Timestamp,
    /// Applied index the page was made at.
    pub applied_index: LogIndex,
    /// The edition of the rules that is applied.
    pub edition: Edition,
    /// Whether an operator holds it.
    pub edition_held: bool,
    /// What is served for whom, by the names of the vendors.
    pub vendors: Vec<VendorStatus>,
    /// The servers, in order: three of a triad, or a single one.
    pub servers: Vec<ServerStatus>,
    /// The pools, by vendor and in license file order.
    pub features: Vec<FeatureStatus>,
    /// The checkouts, by handle.
    pub checkouts: Vec<CheckoutStatus>,
    /// Sessions in the state.
    pub sessions: u64,
    /// Ask again with this for the rest.
    pub more: Option<Place>,
    /// Things an administrator should know, one sentence each.
    pub warnings: Vec<String>,
}

/// What is served for one vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorStatus {
    /// The vendor.
    pub name: String,
    /// Path of its license file on the answering server; empty when this server was started without one.
    pub license_path: String,
    /// The log entry that installed what is served; `None` when nothing is served yet.
    pub installed_at: Option<LogIndex>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Its role.
    pub role: Role,
    /// Host of its SERVER line.
    pub host: String,
    /// Port of its SERVER line.
    pub port: u16,
    /// Host id of its SERVER line.
    pub host_id: String,
    /// Whether the answering server hears it.
    pub up: bool,
    /// Whether it is master.
    pub master: bool,
    /// Version of its program; empty when it was never heard.
    pub version: String,
    /// The newest edition of the rules it knows; `None` when it is not there to say so.
    pub known_edition: Option<Edition>,
    /// What it has applied.
    pub applied_index: Option<LogIndex>,
    /// How many entries it is behind the newest that is known.
    pub log_lag: Option<u64>,
    /// What keeps it from full membership, if anything (catching up, other license file, clock off, maintenance).
    pub remark: Option<String>,
}

/// One pool of seats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureStatus {
    /// Its number, by which checkouts name it.
    pub pool: PoolId,
    /// Feature name.
    pub name: String,
    /// Licensed version.
    pub version: String,
    /// Vendor.
    pub vendor: String,
    /// Seats licensed now; `None` when they are not counted.
    pub issued: Option<Seats>,
    /// Seats taken.
    pub in_use: Seats,
    /// Last day of the line that lasts longest, as FlexNet writes it, or `permanent`.
    pub expires: String,
    /// Node lock of the lines, if any.
    pub host_id: Option<String>,
}

/// One checkout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutStatus {
    /// Its name.
    pub handle: Handle,
    /// The pool that counts it.
    pub pool: PoolId,
    /// Whose feature.
    pub vendor: String,
    /// Feature name.
    pub feature: String,
    /// Version of the pool it was granted from.
    pub licensed_version: String,
    /// Version asked for.
    pub version: String,
    /// Seats held.
    pub count: Seats,
    /// User.
    pub user: String,
    /// Host.
    pub host: String,
    /// Display.
    pub display: String,
    /// Process id.
    pub pid: u32,
    /// The project the work is for, empty when there is none.
    pub project: String,
    /// Where the holder's connection came from; `None` when the server could not tell.
    pub address: Option<IpAddr>,
    /// When it was granted.
    pub since: Timestamp,
    /// What keeps it out.
    pub keeper: Keeper,
}
