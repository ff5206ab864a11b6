//! The report of `lmutil lmstat`, as the scripts of twenty years expect it.
//!
//! Layout and blanks are those of lmstat 11.14 and later (FLEXnet License Administration Guide, lmstat; the regular
//! expressions of public parsers are the oracle in the tests). Two things are our own on purpose: the first line,
//! which names us, and the version behind `UP`, which is ours.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use licensing_client::ServerAddress;
use licensing_client::protocol::{CheckoutStatus, FeatureStatus, StatusPage};
use licensing_core::counted;
use licensing_core::id::PoolId;
use licensing_core::license::Version;

use super::words::printable;
use crate::survey::{SeenServer, Survey};

/// What to show besides the state of the servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Which features, if any.
    pub features: Features,
    /// Only this server's line (`-s server`).
    pub server: Option<String>,
}

/// Which features to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Features {
    /// None: servers and vendor daemon only.
    #[default]
    None,
    /// All of them (`-a`, `-f`).
    All,
    /// Those in use (`-A`).
    InUse,
    /// This one (`-f feature`).
    Named(String),
    /// Those of this vendor (`-S vendor`).
    OfVendor(String),
}

/// The part of a report that is printed once.
pub fn head(now: Timestamp, zone: &TimeZone) -> String {
    let now = now.to_zoned(zone.clone());
    format!(
        "lmutil - licensing-server {}, prints what lmstat prints\nFlexible License Manager status on {}\n\n",
        crate::VERSION,
        now.strftime("%a %-m/%-d/%Y %H:%M")
    )
}

/// The part that is printed for each triad or server of the search path. `several`: the search path has more.
pub fn block(survey: &Survey, selection: &Selection, zone: &TimeZone, several: bool) -> String {
    let mut out = String::new();
    if several {
        out.push_str(&"-".repeat(76));
        out.push('\n');
    }
    let Some(page) = &survey.page else {
        return out + &nobody_answers(survey);
    };
    server_lines(&mut out, survey, page, selection);
    let master = survey.master();
    let host = master.or(survey.servers.first()).map_or("", |server| &server.name.host);
    let _ = write!(out, "Vendor daemon status (on {host}):\n\n");
    vendor_sections(&mut out, page, master, &selection.features, zone);
    out
}

fn nobody_answers(survey: &Survey) -> String {
    match survey.first_problem() {
        Some(problem) => format!("Error getting status: {}\n", problem.flexnet_text()),
        None => "Error getting status: No SERVER lines in license file. (-13,66)\n".to_owned(),
    }
}

fn server_lines(out: &mut String, survey: &Survey, page: &StatusPage, selection: &Selection) {
    let names: Vec<String> = survey.servers.iter().map(|server| server.name.to_string()).collect();
    let answered_by = page.servers.iter().find(|server| server.role == page.answered_by);
    let _ = writeln!(out, "License server status: {}", names.join(","));
    let paths = page.vendors.iter().map(|vendor| printable(&vendor.license_path));
    let paths: Vec<_> = paths.filter(|path| !path.is_empty()).collect();
    let _ = write!(
        out,
        "    License file(s) on {}: {}:\n\n",
        answered_by.map_or("", |server| &server.host),
        paths.join(":")
    );
    for server in &survey.servers {
        if selection.server.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&server.name.host)) {
            let _ = writeln!(out, "{:>10}: {}", server.name.host, server_state(server));
        }
    }
    out.push('\n');
}

fn server_state(server: &SeenServer) -> String {
    match (&server.status, &server.problem) {
        (Some(status), _) if status.up => {
            let master = if status.master { " (MASTER)" } else { "" };
            format!("license server UP{master} v{}", version_of(server))
        }
        (_, Some(problem)) => problem.flexnet_text(),
        (_, None) => "Cannot connect to license server system. (-15,570)".to_owned(),
    }
}

/// Parsers want digits and points here; a server that was never heard has no version.
fn version_of(server: &SeenServer) -> &str {
    match &server.status {
        Some(status) if !status.version.is_empty() => &status.version,
        _ => crate::VERSION,
    }
}

/// A line for each vendor's daemon, and behind it the features it serves: two vendors may have one of the same name.
fn vendor_sections(
    out: &mut String,
    page: &StatusPage,
    master: Option<&SeenServer>,
    which: &Features,
    zone: &TimeZone,
) {
    let mut behind_a_section = false;
    for vendor in &page.vendors {
        if std::mem::take(&mut behind_a_section) {
            out.push('\n');
        }
        let name = printable(&vendor.name);
        let _ = match (master, vendor.installed_at) {
            (Some(master), Some(_)) => writeln!(out, "{name:>10}: UP v{}", version_of(master)),
            _ => writeln!(out, "{name:>10}: The desired vendor daemon is down. (-97,121)"),
        };
        if let (Some(master), Some(_)) = (master, vendor.installed_at)
            && shows(which, page, &vendor.name)
        {
            out.push_str("Feature usage info:\n");
            feature_blocks(out, page, &vendor.name, which, &master.name, zone);
            behind_a_section = true;
        }
    }
    if let (Some(_), Features::Named(name)) = (master, which)
        && !page.features.iter().any(|pool| pool.name == *name)
    {
        let name = printable(name);
        let _ = writeln!(
            out,
            "Feature usage info:\n\nUsers of {name}: Cannot get users of {name}: No such feature exists. (-5,222)"
        );
    }
}

/// Whether features of this vendor are to be shown.
fn shows(which: &Features, page: &StatusPage, vendor: &str) -> bool {
    match which {
        Features::None => false,
        Features::All | Features::InUse => true,
        Features::Named(name) => page.features.iter().any(|pool| pool.name == *name && pool.vendor == vendor),
        Features::OfVendor(wanted) => wanted == vendor,
    }
}

fn feature_blocks(
    out: &mut String,
    page: &StatusPage,
    vendor: &str,
    which: &Features,
    master: &ServerAddress,
    zone: &TimeZone,
) {
    let mut features: Vec<&str> = Vec::new();
    let mut pools: BTreeMap<&str, Vec<&FeatureStatus>> = BTreeMap::new();
    for pool in page.features.iter().filter(|pool| pool.vendor == vendor) {
        let known = pools.entry(&pool.name).or_default();
        if known.is_empty() {
            features.push(&pool.name);
        }
        known.push(pool);
    }
    let mut users: BTreeMap<PoolId, Vec<&CheckoutStatus>> = BTreeMap::new();
    for checkout in &page.checkouts {
        users.entry(checkout.pool).or_default().push(checkout);
    }
    for feature in features {
        let pools = pools.remove(feature).unwrap_or_default();
        if is_wanted(which, &pools) {
            feature_block(out, &users, &pools, master, zone);
        }
    }
}

fn is_wanted(which: &Features, pools: &[&FeatureStatus]) -> bool {
    match which {
        Features::None => false,
        Features::All => true,
        Features::InUse => pools.iter().any(|pool| pool.in_use.0 > 0),
        Features::Named(name) => pools.iter().any(|pool| pool.name == *name),
        Features::OfVendor(_) => true,
    }
}

/// All pools of one feature of a vendor: one line with the totals, then a title, a type and the users of each pool in use.
fn feature_block(
    out: &mut String,
    users: &BTreeMap<PoolId, Vec<&CheckoutStatus>>,
    pools: &[&FeatureStatus],
    master: &ServerAddress,
    zone: &TimeZone,
) {
    let Some(first) = pools.first() else { return };
    // Uncounted lines beside counted ones add nothing to what is counted.
    let counted_pools = pools.iter().filter_map(|pool| pool.issued);
    let issued = counted_pools.map(|seats| u64::from(seats.0)).reduce(|sum, seats| sum + seats);
    let in_use: u64 = pools.iter().map(|pool| u64::from(pool.in_use.0)).sum();
    let _ = match issued {
        None => writeln!(out, "\nUsers of {}:  (Uncounted, node-locked)", first.name),
        Some(issued) => writeln!(
            out,
            "\nUsers of {}:  (Total of {} issued;  Total of {} in use)",
            first.name,
            counted(issued, "license"),
            counted(in_use, "license")
        ),
    };
    for pool in pools {
        let Some(users) = users.get(&pool.pool) else { continue };
        let _ = write!(
            out,
            "\n  \"{}\" v{}, vendor: {}, expiry: {}\n  {}\n\n",
            pool.name,
            pool.version,
            pool.vendor,
            expiry(&pool.expires),
            kind(pool)
        );
        for checkout in users {
            let _ = writeln!(out, "{}", user_row(checkout, master, zone));
        }
    }
}

fn expiry(expires: &str) -> &str {
    if expires == "permanent" { "permanent(no expiration date)" } else { expires }
}

fn kind(pool: &FeatureStatus) -> String {
    match (&pool.host_id, pool.issued) {
        (None, _) => "floating license".to_owned(),
        (Some(host_id), Some(_)) => format!("nodelocked license, locked to \"{}\"", printable(host_id)),
        (Some(host_id), None) if host_id.eq_ignore_ascii_case("ANY") => {
            "uncounted nodelocked license locked to NOTHING (hostid=ANY)".to_owned()
        }
        (Some(host_id), None) => {
            format!("uncounted nodelocked license, locked to \"{}\"", printable(host_id))
        }
    }
}

/// `    USER HOST DISPLAY (vVERSION) (SERVER/PORT HANDLE), start DOW M/D H:MM[, N licenses]`
fn user_row(checkout: &CheckoutStatus, master: &ServerAddress, zone: &TimeZone) -> String {
    let since = i64::try_from(checkout.since.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let since = since.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone());
    let version = checkout
        .version
        .parse::<Version>()
        .map_or_else(|_| checkout.version.clone(), |version| version.padded());
    let mut row = format!(
        "    {} {} {} (v{}) ({}/{} {}), start {} {}:{:02}",
        printable(&checkout.user),
        printable(&checkout.host),
        printable(&checkout.display),
        printable(&version),
        master.host,
        master.port,
        checkout.handle,
        since.strftime("%a %-m/%-d"),
        since.hour(),
        since.minute()
    );
    if checkout.count.0 > 1 {
        let _ = write!(row, ", {} licenses", checkout.count);
    }
    row
}

#[cfg(test)]
#[path = "lmstat_tests.rs"]
mod tests;
