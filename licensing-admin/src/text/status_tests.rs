//! The page for people letter by letter, and the keys scripts rely on.

use super::super::tests_support::{checkout, page, survey};
use super::*;
use licensing_core::id::Seats;

fn healthy() -> Survey {
    let pages = Role::ALL.map(|role| {
        let mut page = page(role);
        page.checkouts = vec![checkout(81, "ann", 1), checkout(90, "John Smith", 3)];
        page.features[0].in_use = Seats(4);
        page.sessions = 2;
        page
    });
    survey(&pages)
}

fn primary_down() -> Survey {
    let pages = [Role::Secondary, Role::Tertiary].map(|role| {
        let mut page = page(role);
        page.master = Some(Role::Secondary);
        page.servers[0].up = false;
        page.servers[0].master = false;
        page.servers[0].version = String::new();
        page.servers[0].applied_index = None;
        page.servers[0].log_lag = None;
        page.servers[1].master = true;
        page.preferred = Some(Role::Primary);
        page.warnings =
            vec!["the license file on the tertiary differs from the license that is served".to_owned()];
        page
    });
    survey(&pages)
}

#[test]
fn a_healthy_triad_reads_well() {
    let expected = "\
demo: primary is master at pat:2837, 3 of 3 servers up

SERVER     ADDRESS     STATE       VERSION  APPLIED  BEHIND  REMARK
primary    pat:2837    up, master  0.1.0        120       0
secondary  lee:2837    up          0.1.0        120       0
tertiary   terry:2837  up          0.1.0        120       0

FEATURE  VERSION  SEATS  IN USE  FREE  EXPIRES
f1       1.0         10       4     6  permanent
f2       2.5          3       0     3  31-dec-2099

HANDLE  FEATURE  VERSION  SEATS  USER        HOST               DISPLAY      PID  SINCE
    81  f1       1            1  ann         ws-07.example.com  /dev/pts/3  5172  2026-09-24 21:35:05
    90  f1       1            3  John Smith  ws-07.example.com  /dev/pts/3  5172  2026-09-24 21:35:05
";
    assert_eq!(text(&healthy(), &TimeZone::UTC), expected);
}

#[test]
fn the_vendor_of_everything_is_told_when_there_are_several() {
    let mut pages = Role::ALL.map(page);
    for page in &mut pages {
        let mut second = page.vendors[0].clone();
        second.name = "zeta".to_owned();
        page.vendors.push(second);
        let mut theirs = checkout(90, "ann", 1);
        theirs.vendor = "zeta".to_owned();
        page.checkouts = vec![checkout(81, "ann", 1), theirs];
    }
    let told = text(&survey(&pages), &TimeZone::UTC);
    let ends = |begin: &str| {
        let line = told.lines().find(|line| line.trim_start().starts_with(begin)).expect("the line");
        line.rsplit(' ').next().expect("its last word").to_owned()
    };
    assert_eq!(
        [ends("HANDLE"), ends("81"), ends("90"), ends("FEATURE"), ends("f1")],
        ["VENDOR", "demo", "zeta", "VENDOR", "demo"]
    );
}

#[test]
fn a_server_that_is_down_says_why() {
    let expected = "\
demo: secondary is master at lee:2837, 2 of 3 servers up; the operator prefers the primary

SERVER     ADDRESS     STATE       VERSION  APPLIED  BEHIND  REMARK
primary    pat:2837    down        -              -       -  connection refused
secondary  lee:2837    up, master  0.1.0        120       0
tertiary   terry:2837  up          0.1.0        120       0

FEATURE  VERSION  SEATS  IN USE  FREE  EXPIRES
f1       1.0         10       0    10  permanent
f2       2.5          3       0     3  31-dec-2099

warning: the license file on the tertiary differs from the license that is served
";
    assert_eq!(text(&primary_down(), &TimeZone::UTC), expected);
}

#[test]
fn without_a_quorum_the_page_says_whose_memory_it_is() {
    let mut alone = page(Role::Secondary);
    alone.master = None;
    alone.quorum = false;
    for server in alone.servers.iter_mut().filter(|server| server.role != Role::Secondary) {
        server.up = false;
        server.master = false;
    }
    let text = text(&survey(&[alone]), &TimeZone::UTC);
    let expected = "demo: no quorum, nothing is served: what follows is what the secondary last knew, 1 of 3 servers up\n";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn nobody_answers() {
    let expected = "\
no server answers

SERVER  ADDRESS     STATE  VERSION  APPLIED  BEHIND  REMARK
?       pat:2837    down   -              -       -  connection refused
?       lee:2837    down   -              -       -  connection refused
?       terry:2837  down   -              -       -  connection refused
";
    assert_eq!(text(&survey(&[]), &TimeZone::UTC), expected);
}

#[test]
fn the_keys_scripts_rely_on_are_there() {
    let survey = healthy();
    let json = serde_json::to_value(json(&survey)).unwrap();
    assert_eq!(json["master"], "primary");
    assert_eq!(json["quorum"], true);
    assert_eq!(json["preferred"], serde_json::Value::Null);
    assert_eq!(json["signatures"], "unverified");
    assert_eq!((&json["vendor"], &json["edition"]), (&"demo".into(), &1.into()));
    assert_eq!(
        json["vendors"][0],
        serde_json::json!({ "name": "demo", "license_path": "/etc/licensing/triad.lic", "installed_at": 2 })
    );
    assert_eq!(
        json["servers"][1],
        serde_json::json!({
            "role": "secondary", "host": "lee", "port": 2837, "up": true, "master": false, "version": "0.1.0",
            "known_edition": 1, "applied_index": 120, "log_lag": 0
        })
    );
    assert_eq!(
        json["features"][0],
        serde_json::json!({
            "pool": 1, "name": "f1", "version": "1.0", "vendor": "demo", "issued": 10, "in_use": 4, "expires": "permanent"
        })
    );
    assert_eq!(
        json["checkouts"][1],
        serde_json::json!({
            "handle": 90, "pool": 1, "vendor": "demo", "feature": "f1", "version": "1", "licensed_version": "1.0", "count": 3,
            "user": "John Smith", "host": "ws-07.example.com", "display": "/dev/pts/3", "pid": 5172, "project": "",
            "address": null, "since": "2026-09-24T21:35:05Z"
        })
    );
    assert_eq!(json["warnings"], serde_json::json!([]));
}
