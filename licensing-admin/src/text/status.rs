//! `licensectl status`: a page a person reads, and one JSON object a script reads.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use licensing_client::protocol::{CheckoutStatus, StatusPage, VendorStatus};
use licensing_core::counted;
use licensing_core::id::Role;
use serde::Serialize;

use super::table::Table;
use super::words::printable;
use crate::survey::{SeenServer, Survey};

/// The answer of `status --json`. Keys are a contract: they may be added to, never renamed.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct StatusJson<'a> {
    /// Role of the master, or null.
    pub master: Option<&'static str>,
    /// Whether a quorum is in reach.
    pub quorum: bool,
    /// The operator's choice of a master, or null.
    pub preferred: Option<&'static str>,
    /// Role of the server this answer is from.
    pub answered_by: Option<&'static str>,
    /// Applied index the answer was made at.
    pub applied_index: Option<u64>,
    /// The vendor that is served; the first of several, by name.
    pub vendor: Option<&'a str>,
    /// Path of that vendor's license file on the answering server.
    pub license_path: Option<&'a str>,
    /// All vendors, by name.
    pub vendors: Vec<VendorJson<'a>>,
    /// The edition of the rules that is applied.
    pub edition: Option<u32>,
    /// Whether an operator holds it.
    pub edition_held: bool,
    /// Signatures in the license file are not verified.
    pub signatures: &'static str,
    /// Sessions in the state.
    pub sessions: u64,
    /// The servers, in the order of the SERVER lines.
    pub servers: Vec<ServerJson<'a>>,
    /// The pools, in license file order.
    pub features: Vec<FeatureJson<'a>>,
    /// The checkouts, by handle.
    pub checkouts: Vec<CheckoutJson<'a>>,
    /// Things an administrator should know.
    pub warnings: &'a [String],
}

/// One vendor of [`StatusJson`].
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct VendorJson<'a> {
    name: &'a str,
    /// Path of its license file on the answering server; empty when this server has none.
    license_path: &'a str,
    /// The log entry that installed what is served; null when nothing is served yet.
    installed_at: Option<u64>,
}

/// One server of [`StatusJson`].
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct ServerJson<'a> {
    role: Option<&'static str>,
    host: &'a str,
    port: u16,
    up: bool,
    master: bool,
    version: &'a str,
    /// The newest edition of the rules it knows; null when it is not there to say so.
    known_edition: Option<u32>,
    applied_index: Option<u64>,
    log_lag: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
}

/// One pool of [`StatusJson`].
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct FeatureJson<'a> {
    /// Number of the pool, by which checkouts name it.
    pool: u32,
    name: &'a str,
    version: &'a str,
    vendor: &'a str,
    /// null when the seats are not counted.
    issued: Option<u32>,
    in_use: u32,
    expires: &'a str,
}

/// One checkout of [`StatusJson`].
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CheckoutJson<'a> {
    handle: u64,
    pool: u32,
    vendor: &'a str,
    feature: &'a str,
    version: &'a str,
    licensed_version: &'a str,
    count: u32,
    user: &'a str,
    host: &'a str,
    display: &'a str,
    pid: u32,
    project: &'a str,
    /// Where the holder's connection came from; null when the server could not tell.
    address: Option<String>,
    since: String,
}

/// The JSON answer.
pub fn json(survey: &Survey) -> StatusJson<'_> {
    let page = survey.page.as_ref();
    let first = page.and_then(|page| page.vendors.first());
    StatusJson {
        master: page.and_then(|page| page.master).map(Role::name),
        quorum: page.is_some_and(|page| page.quorum),
        preferred: page.and_then(|page| page.preferred).map(Role::name),
        answered_by: page.map(|page| page.answered_by.name()),
        applied_index: page.map(|page| page.applied_index.0),
        vendor: first.map(|vendor| vendor.name.as_str()),
        license_path: first.map(|vendor| vendor.license_path.as_str()),
        vendors: page.map(|page| page.vendors.iter().map(vendor_json).collect()).unwrap_or_default(),
        edition: page.map(|page| page.edition.0),
        edition_held: page.is_some_and(|page| page.edition_held),
        signatures: "unverified",
        sessions: page.map_or(0, |page| page.sessions),
        servers: survey.servers.iter().map(server_json).collect(),
        features: page.map(features_json).unwrap_or_default(),
        checkouts: page.map(|page| page.checkouts.iter().map(checkout_json).collect()).unwrap_or_default(),
        warnings: page.map(|page| page.warnings.as_slice()).unwrap_or_default(),
    }
}

fn vendor_json(vendor: &VendorStatus) -> VendorJson<'_> {
    VendorJson {
        name: &vendor.name,
        license_path: &vendor.license_path,
        installed_at: vendor.installed_at.map(|index| index.0),
    }
}

fn server_json(server: &SeenServer) -> ServerJson<'_> {
    let status = server.status.as_ref();
    ServerJson {
        role: status.map(|status| status.role.name()),
        host: &server.name.host,
        port: server.name.port,
        up: server.is_up(),
        master: status.is_some_and(|status| status.master),
        version: status.map_or("", |status| &status.version),
        known_edition: status.and_then(|status| status.known_edition).map(|edition| edition.0),
        applied_index: status.and_then(|status| status.applied_index).map(|index| index.0),
        log_lag: status.and_then(|status| status.log_lag),
        remark: server.remark(),
    }
}

fn features_json(page: &StatusPage) -> Vec<FeatureJson<'_>> {
    let pools = page.features.iter().map(|pool| FeatureJson {
        pool: pool.pool.0,
        name: &pool.name,
        version: &pool.version,
        vendor: &pool.vendor,
        issued: pool.issued.map(|seats| seats.0),
        in_use: pool.in_use.0,
        expires: &pool.expires,
    });
    pools.collect()
}

fn checkout_json(checkout: &CheckoutStatus) -> CheckoutJson<'_> {
    CheckoutJson {
        handle: checkout.handle.0,
        pool: checkout.pool.0,
        vendor: &checkout.vendor,
        feature: &checkout.feature,
        version: &checkout.version,
        licensed_version: &checkout.licensed_version,
        count: checkout.count.0,
        user: &checkout.user,
        host: &checkout.host,
        display: &checkout.display,
        pid: checkout.pid,
        project: &checkout.project,
        address: checkout.address.map(|address| address.to_string()),
        since: moment(checkout.since).to_string(),
    }
}

/// The page for people.
pub fn text(survey: &Survey, zone: &TimeZone) -> String {
    let mut out = headline(survey);
    out.push('\n');
    out.push_str(&servers_table(survey));
    let Some(page) = &survey.page else { return out };
    out.push('\n');
    out.push_str(&features_table(page));
    if !page.checkouts.is_empty() {
        out.push('\n');
        out.push_str(&checkouts_table(page, zone));
    }
    if !page.warnings.is_empty() {
        out.push('\n');
    }
    for warning in &page.warnings {
        out.push_str(&format!("warning: {}\n", printable(warning)));
    }
    out
}

fn headline(survey: &Survey) -> String {
    let up = survey.servers.iter().filter(|server| server.is_well()).count();
    let servers = format!("{up} of {} up", counted(survey.servers.len() as u64, "server"));
    let Some(page) = &survey.page else {
        return "no server answers\n".to_owned();
    };
    let master = match (survey.master(), page.quorum) {
        (Some(master), _) => {
            format!("{} is master at {}", page.master.map_or("", Role::name), master.name.host_and_port())
        }
        (None, true) => "no master: one is being chosen, or only the tertiary can lead".to_owned(),
        (None, false) => {
            format!("no quorum, nothing is served: what follows is what the {} last knew", page.answered_by)
        }
    };
    let choice = page.preferred.map(|role| format!("; the operator prefers the {role}")).unwrap_or_default();
    let vendors: Vec<_> = page.vendors.iter().map(|vendor| printable(&vendor.name)).collect();
    let vendors = if vendors.is_empty() { String::new() } else { format!("{}: ", vendors.join(", ")) };
    format!("{vendors}{master}, {servers}{choice}\n")
}

fn servers_table(survey: &Survey) -> String {
    let mut table = Table::new(&["SERVER", "ADDRESS", "STATE", "VERSION", ">APPLIED", ">BEHIND", "REMARK"]);
    for server in &survey.servers {
        let status = server.status.as_ref();
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        table.row([
            status.map_or_else(|| "?".to_owned(), |status| status.role.to_string()),
            server.name.host_and_port(),
            server.state().to_owned(),
            status.map_or_else(|| "-".to_owned(), |status| or_dash(&status.version)),
            number(status.and_then(|status| status.applied_index).map(|index| index.0)),
            number(status.and_then(|status| status.log_lag)),
            server.remark().unwrap_or_default(),
        ]);
    }
    table.render()
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// The vendor of each pool is told when there are several.
fn features_table(page: &StatusPage) -> String {
    let several = page.vendors.len() > 1;
    let heads = ["FEATURE", "VERSION", ">SEATS", ">IN USE", ">FREE", "EXPIRES", "VENDOR"];
    let mut table = Table::new(&heads[..heads.len() - usize::from(!several)]);
    for pool in &page.features {
        let issued = pool.issued.map(|seats| seats.0);
        let mut row = vec![
            pool.name.clone(),
            pool.version.clone(),
            issued.map_or_else(|| "uncounted".to_owned(), |issued| issued.to_string()),
            pool.in_use.to_string(),
            issued.map_or_else(|| "-".to_owned(), |issued| issued.saturating_sub(pool.in_use.0).to_string()),
            pool.expires.clone(),
        ];
        row.extend(several.then(|| pool.vendor.clone()));
        table.row(row);
    }
    if table.is_empty() { "no license is installed yet\n".to_owned() } else { table.render() }
}

/// The vendor of each is told when there are several, as above.
fn checkouts_table(page: &StatusPage, zone: &TimeZone) -> String {
    let several = page.vendors.len() > 1;
    let heads =
        [">HANDLE", "FEATURE", "VERSION", ">SEATS", "USER", "HOST", "DISPLAY", ">PID", "SINCE", "VENDOR"];
    let mut table = Table::new(&heads[..heads.len() - usize::from(!several)]);
    for checkout in &page.checkouts {
        let since = moment(checkout.since).to_zoned(zone.clone());
        let mut row = vec![
            checkout.handle.to_string(),
            checkout.feature.clone(),
            checkout.version.clone(),
            checkout.count.to_string(),
            checkout.user.clone(),
            checkout.host.clone(),
            checkout.display.clone(),
            checkout.pid.to_string(),
            since.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        ];
        row.extend(several.then(|| checkout.vendor.clone()));
        table.row(row);
    }
    table.render()
}

/// State time as a moment; times no calendar has become its begin.
fn moment(at: licensing_core::id::Timestamp) -> Timestamp {
    let milliseconds = i64::try_from(at.0).ok();
    milliseconds.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
