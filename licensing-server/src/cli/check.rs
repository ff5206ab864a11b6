//! `licensing-server check`: what a license file says, in the order in which people ask.

use std::path::Path;

use licensing_admin::console::{Failure, put, talk};
use licensing_admin::exit::Exit;
use licensing_admin::text::table::Table;
use licensing_client::license_file::LicenseFile;
use licensing_core::command::{Command, Proposal};
use licensing_core::counted;
use licensing_core::id::{LogIndex, Role, Timestamp};
use licensing_core::license::License;
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use licensing_core::view::{PoolView, Validity};

pub(super) fn check(path: &Path) -> Result<Exit, Failure> {
    let file = LicenseFile::read(path).map_err(Failure::no)?;
    let now = Timestamp(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0));
    let report = report(&file, now).map_err(|why| Failure::no(format!("{}: {why}", path.display())))?;
    put(&report)?;
    for warning in file.warnings().chain(dates(&file, now)) {
        talk(format_args!("warning: {warning}"));
    }
    if file.license.servers.is_empty() {
        talk("note: no SERVER line, so `licensing-server serve` has nothing to serve");
    }
    talk("note: signatures are not verified");
    Ok(Exit::Done)
}

/// What the file says at this moment. The pools are made by the rules that will serve them.
fn report(file: &LicenseFile, now: Timestamp) -> Result<String, String> {
    let mut state = State::new();
    let install = Proposal { at: now, command: Command::Install(file.compiled().into()) };
    if let Outcome::Denied(denial) = state.apply(LogIndex(1), &install).answer.outcome {
        return Err(denial.to_string());
    }
    let license = &file.license;
    let vendor =
        license.vendor.as_ref().map_or("no vendor".to_owned(), |vendor| format!("vendor {}", vendor.name));
    let mut out = format!(
        "{}: {}, {vendor}, {}\n",
        file.path.display(),
        counted(license.servers.len() as u64, "server"),
        counted(license.features.len() as u64, "feature line")
    );
    if !license.servers.is_empty() {
        out.push('\n');
        out.push_str(&servers(license));
    }
    let mut pools = Table::new(&["FEATURE", "VERSION", ">SEATS", "EXPIRES", "LOCKED TO"]);
    for pool in state.pools() {
        pools.row([
            pool.feature.to_owned(),
            pool.version.to_owned(),
            pool.licensed.map_or_else(|| "uncounted".to_owned(), |seats| seats.to_string()),
            dated(&pool),
            pool.host_id.unwrap_or_default(),
        ]);
    }
    if !pools.is_empty() {
        out.push('\n');
        out.push_str(&pools.render());
    }
    Ok(out)
}

/// Lines whose days are over, or have not come yet.
fn dates(file: &LicenseFile, now: Timestamp) -> impl Iterator<Item = String> {
    let path = file.path.display();
    file.license.features.iter().filter_map(move |line| {
        let what = match Validity::of(line, now) {
            Validity::Now => return None,
            Validity::Over(_) => format!("expired on {}", line.expiry),
            Validity::Later(starts) => format!("starts on {starts}"),
        };
        Some(format!(
            "{path}:{}:1: {} v{} {what}, its seats do not count now",
            line.line, line.name, line.version
        ))
    })
}

/// The last day of a pool, and whether it is over or has not begun.
fn dated(pool: &PoolView<'_>) -> String {
    match pool.validity {
        Validity::Now => pool.expires.clone(),
        Validity::Over(_) => format!("{}, expired", pool.expires),
        Validity::Later(starts) => format!("{}, starts {starts}", pool.expires),
    }
}

fn servers(license: &License) -> String {
    let mut table = Table::new(&["SERVER", "HOST", ">PORT", "HOST ID", "KEYWORDS"]);
    let is_triad = license.servers.len() == Role::ALL.len();
    for (place, server) in license.servers.iter().enumerate() {
        let role = Role::ALL.get(place).filter(|_| is_triad).map_or("single", |role| role.name());
        let mut keywords = Vec::new();
        if server.primary_is_master {
            keywords.push("PRIMARY_IS_MASTER".to_owned());
        }
        if let Some(interval) = server.heartbeat_interval {
            let (interval, timeout) = (interval.seconds(), interval.timeout_s());
            keywords.push(format!("HEARTBEAT_INTERVAL={interval} (failover after {timeout} s)"));
        }
        table.row([
            role.to_owned(),
            server.host.clone(),
            server.port.map_or_else(|| "-".to_owned(), |port| port.to_string()),
            server.host_id.to_string(),
            keywords.join(" "),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn check(text: &str) -> String {
        let license = License::parse(text).unwrap();
        let file =
            LicenseFile { path: PathBuf::from("a.lic"), text: text.to_owned(), license, options: None };
        // 2026-09-24
        report(&file, Timestamp(1_790_288_165_000)).unwrap()
    }

    #[test]
    fn a_triad_is_described() {
        let text = "SERVER pat 17003456 2837 PRIMARY_IS_MASTER HEARTBEAT_INTERVAL=20\nSERVER lee 17004355 2837\n\
                    SERVER terry 17007ea8 2837\nVENDOR demo\nFEATURE f1 demo 1.0 permanent 10 SIGN=0\n\
                    INCREMENT f2 demo 2.5 31-dec-2099 3 SIGN=0\nINCREMENT f2 demo 2.5 31-dec-2099 4 SIGN=0\n\
                    FEATURE old demo 1.0 31-dec-2020 5 SIGN=0\n";
        assert_eq!(
            check(text),
            "\
a.lic: 3 servers, vendor demo, 4 feature lines

SERVER     HOST   PORT  HOST ID   KEYWORDS
primary    pat    2837  17003456  PRIMARY_IS_MASTER HEARTBEAT_INTERVAL=20 (failover after 79 s)
secondary  lee    2837  17004355
tertiary   terry  2837  17007ea8

FEATURE  VERSION  SEATS  EXPIRES               LOCKED TO
f1       1.0         10  permanent
f2       2.5          7  31-dec-2099
old      1.0          0  31-dec-2020, expired
"
        );
    }

    #[test]
    fn lines_that_do_not_count_today_are_told_with_their_day() {
        let text = "SERVER pat ANY 27000\nVENDOR demo\nFEATURE old demo 1.0 31-dec-2020 5 SIGN=0\n\
                    FEATURE new demo 1.0 31-dec-2099 5 START=1-jan-2098 SIGN=0\n\
                    FEATURE f1 demo 1.0 31-dec-2099 5 START=1-jan-2020 SIGN=0\n";
        let license = License::parse(text).unwrap();
        let file =
            LicenseFile { path: PathBuf::from("a.lic"), text: text.to_owned(), license, options: None };
        let now = Timestamp(1_790_288_165_000);
        assert_eq!(
            dates(&file, now).collect::<Vec<_>>(),
            [
                "a.lic:3:1: old v1.0 expired on 31-dec-2020, its seats do not count now",
                "a.lic:4:1: new v1.0 starts on 01-jan-2098, its seats do not count now",
            ]
        );
        let told = report(&file, now).unwrap();
        let ends =
            |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap().trim_end().to_owned();
        assert!(ends("old").ends_with("31-dec-2020, expired"), "{told}");
        assert!(ends("new").ends_with("31-dec-2099, starts 01-jan-2098"), "{told}");
        assert!(ends("f1").ends_with("31-dec-2099"), "{told}");
    }

    #[test]
    fn a_single_server_is_described() {
        let text = "SERVER pat ANY 27000\nVENDOR demo\nFEATURE f1 demo 1.0 permanent 1 SIGN=0\n";
        assert!(
            check(text).starts_with("a.lic: 1 server, vendor demo, 1 feature line\n\nSERVER  HOST"),
            "{}",
            check(text)
        );
    }
}
