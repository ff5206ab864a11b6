//! Expected reports, letter by letter, and the same reports read with the expressions that public parsers use.

use regex::Regex;

use super::super::tests_support::{NOW, checkout, feature, page, survey};
use super::*;
use licensing_client::protocol::VendorStatus;
use licensing_core::id::{LogIndex, PoolId, Role, Seats};

fn report(survey: &Survey, features: Features) -> String {
    let selection = Selection { features, server: None };
    block(survey, &selection, &TimeZone::UTC, false)
}

#[track_caller]
fn check(survey: &Survey, features: Features, expected: &str) {
    assert_eq!(report(survey, features), expected);
}

fn everybody(change: impl Fn(&mut StatusPage)) -> Survey {
    let pages = Role::ALL.map(|role| {
        let mut page = page(role);
        change(&mut page);
        page
    });
    survey(&pages)
}

const HEALTHY_HEAD: &str = "License server status: 2837@pat,2837@lee,2837@terry
    License file(s) on pat: /etc/licensing/triad.lic:

       pat: license server UP (MASTER) v0.1.0
       lee: license server UP v0.1.0
     terry: license server UP v0.1.0

Vendor daemon status (on pat):

      demo: UP v0.1.0
";

fn with_head(rest: &str) -> String {
    HEALTHY_HEAD.to_owned() + rest
}

fn without_the_primary() -> [StatusPage; 2] {
    [Role::Secondary, Role::Tertiary].map(|role| {
        let mut page = page(role);
        page.master = Some(Role::Secondary);
        page.servers[0].up = false;
        page.servers[0].master = false;
        page.servers[0].version = String::new();
        page.servers[1].master = true;
        page.checkouts = vec![checkout(81, "ann", 1)];
        page.features[0].in_use = Seats(1);
        page
    })
}

#[test]
fn the_first_lines_name_us_and_the_minute() {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    let now = Timestamp::from_millisecond(NOW).unwrap();
    let expected = format!(
        "lmutil - licensing-server {}, prints what lmstat prints\n\
         Flexible License Manager status on Fri 9/25/2026 00:16\n\n",
        crate::VERSION
    );
    assert_eq!(head(now, &zone), expected);
}

#[test]
fn servers_only() {
    check(&everybody(|_| {}), Features::None, HEALTHY_HEAD);
}

#[test]
fn nobody_holds_a_seat() {
    check(
        &everybody(|_| {}),
        Features::All,
        &with_head(
            "Feature usage info:

Users of f1:  (Total of 10 licenses issued;  Total of 0 licenses in use)

Users of f2:  (Total of 3 licenses issued;  Total of 0 licenses in use)
",
        ),
    );
}

#[test]
fn users_are_listed_under_their_pool() {
    let held = everybody(|page| {
        page.checkouts = vec![checkout(81, "ann", 1), checkout(90, "John Smith", 3)];
        page.features[0].in_use = Seats(4);
        page.features[1].issued = Some(Seats(1));
    });
    check(
        &held,
        Features::All,
        &with_head(
            "Feature usage info:

Users of f1:  (Total of 10 licenses issued;  Total of 4 licenses in use)

  \"f1\" v1.0, vendor: demo, expiry: permanent(no expiration date)
  floating license

    ann ws-07.example.com /dev/pts/3 (v1.000) (pat/2837 81), start Thu 9/24 21:35
    John Smith ws-07.example.com /dev/pts/3 (v1.000) (pat/2837 90), start Thu 9/24 21:35, 3 licenses

Users of f2:  (Total of 1 license issued;  Total of 0 licenses in use)
",
        ),
    );
}

#[test]
fn every_pool_of_a_feature_has_its_own_title() {
    let two_pools = everybody(|page| {
        page.features =
            vec![feature("f1", "1.0", Some(10), "permanent"), feature("f1", "2.5", Some(3), "1-jan-2030")];
        page.features[1].pool = PoolId(2);
        let mut newer = checkout(90, "bob", 2);
        newer.pool = PoolId(2);
        newer.licensed_version = "2.5".to_owned();
        newer.version = "2.5".to_owned();
        page.checkouts = vec![checkout(81, "ann", 1), newer];
        page.features[0].in_use = Seats(1);
        page.features[1].in_use = Seats(2);
    });
    check(
        &two_pools,
        Features::All,
        &with_head(
            "Feature usage info:

Users of f1:  (Total of 13 licenses issued;  Total of 3 licenses in use)

  \"f1\" v1.0, vendor: demo, expiry: permanent(no expiration date)
  floating license

    ann ws-07.example.com /dev/pts/3 (v1.000) (pat/2837 81), start Thu 9/24 21:35

  \"f1\" v2.5, vendor: demo, expiry: 1-jan-2030
  floating license

    bob ws-07.example.com /dev/pts/3 (v2.500) (pat/2837 90), start Thu 9/24 21:35, 2 licenses
",
        ),
    );
}

/// Two lines of one feature and version, kept apart by their VENDOR_STRING.
#[test]
fn a_checkout_stands_under_its_own_pool_and_nowhere_else() {
    let two_pools = everybody(|page| {
        let other = FeatureStatus { pool: PoolId(2), ..feature("f1", "1.0", Some(3), "1-jan-2030") };
        page.features = vec![feature("f1", "1.0", Some(10), "permanent"), other];
        page.features[1].in_use = Seats(1);
        page.checkouts = vec![checkout(81, "ann", 1)];
        page.checkouts[0].pool = PoolId(2);
    });
    check(
        &two_pools,
        Features::All,
        &with_head(
            "Feature usage info:

Users of f1:  (Total of 13 licenses issued;  Total of 1 license in use)

  \"f1\" v1.0, vendor: demo, expiry: 1-jan-2030
  floating license

    ann ws-07.example.com /dev/pts/3 (v1.000) (pat/2837 81), start Thu 9/24 21:35
",
        ),
    );
}

#[test]
fn every_vendor_has_its_daemon_line() {
    let two_vendors = everybody(|page| {
        let path = "/etc/licensing/acme.lic".to_owned();
        page.vendors
            .insert(0, VendorStatus { name: "acme".to_owned(), license_path: path, installed_at: None });
        page.features.clear();
    });
    let text = block(&two_vendors, &Selection::default(), &TimeZone::UTC, false);
    assert!(text.contains("on pat: /etc/licensing/acme.lic:/etc/licensing/triad.lic:\n"), "{text}");
    let lines = "\n      acme: The desired vendor daemon is down. (-97,121)\n      demo: UP v0.1.0\n";
    assert!(text.contains(lines), "{text}");
}

#[test]
fn features_of_the_same_name_stand_below_their_vendors() {
    let two_vendors = everybody(|page| {
        let path = "/etc/licensing/acme.lic".to_owned();
        page.vendors.insert(
            0,
            VendorStatus { name: "acme".to_owned(), license_path: path, installed_at: Some(LogIndex(3)) },
        );
        let acme = "acme".to_owned();
        let f1 = FeatureStatus {
            pool: PoolId(3),
            vendor: acme.clone(),
            ..feature("f1", "2.0", Some(5), "permanent")
        };
        page.features.insert(0, f1);
        page.features[0].in_use = Seats(2);
        page.features[1].in_use = Seats(1);
        let bob = CheckoutStatus { pool: PoolId(3), vendor: acme, ..checkout(90, "bob", 2) };
        page.checkouts = vec![checkout(81, "ann", 1), bob];
    });
    let text = report(&two_vendors, Features::All);
    let (_, sections) = text.split_once("Vendor daemon status (on pat):\n\n").unwrap();
    assert_eq!(
        sections,
        "      acme: UP v0.1.0
Feature usage info:

Users of f1:  (Total of 5 licenses issued;  Total of 2 licenses in use)

  \"f1\" v2.0, vendor: acme, expiry: permanent(no expiration date)
  floating license

    bob ws-07.example.com /dev/pts/3 (v1.000) (pat/2837 90), start Thu 9/24 21:35, 2 licenses

      demo: UP v0.1.0
Feature usage info:

Users of f1:  (Total of 10 licenses issued;  Total of 1 license in use)

  \"f1\" v1.0, vendor: demo, expiry: permanent(no expiration date)
  floating license

    ann ws-07.example.com /dev/pts/3 (v1.000) (pat/2837 81), start Thu 9/24 21:35

Users of f2:  (Total of 3 licenses issued;  Total of 0 licenses in use)
"
    );
    let of_demo = report(&two_vendors, Features::OfVendor("demo".to_owned()));
    assert!(
        of_demo.contains("      acme: UP v0.1.0\n      demo: UP v0.1.0\nFeature usage info:\n"),
        "{of_demo}"
    );
}

#[test]
fn node_locked_and_uncounted_features_say_so() {
    let locked = everybody(|page| {
        page.features =
            vec![feature("serial", "1.0", None, "permanent"), feature("f1", "1.0", Some(2), "permanent")];
        page.features[0].pool = PoolId(2);
        page.features[1].host_id = Some("0019d244e9fc".to_owned());
        page.features[1].in_use = Seats(1);
        page.checkouts = vec![checkout(81, "ann", 1)];
    });
    check(
        &locked,
        Features::All,
        &with_head(
            "Feature usage info:

Users of serial:  (Uncounted, node-locked)

Users of f1:  (Total of 2 licenses issued;  Total of 1 license in use)

  \"f1\" v1.0, vendor: demo, expiry: permanent(no expiration date)
  nodelocked license, locked to \"0019d244e9fc\"

    ann ws-07.example.com /dev/pts/3 (v1.000) (pat/2837 81), start Thu 9/24 21:35
",
        ),
    );
}

#[test]
fn the_primary_is_down_and_the_secondary_is_master() {
    check(
        &survey(&without_the_primary()),
        Features::InUse,
        "License server status: 2837@pat,2837@lee,2837@terry
    License file(s) on lee: /etc/licensing/triad.lic:

       pat: Cannot connect to license server system. (-15,570:111 \"Connection refused\")
       lee: license server UP (MASTER) v0.1.0
     terry: license server UP v0.1.0

Vendor daemon status (on lee):

      demo: UP v0.1.0
Feature usage info:

Users of f1:  (Total of 10 licenses issued;  Total of 1 license in use)

  \"f1\" v1.0, vendor: demo, expiry: permanent(no expiration date)
  floating license

    ann ws-07.example.com /dev/pts/3 (v1.000) (lee/2837 81), start Thu 9/24 21:35
",
    );
}

#[test]
fn without_a_master_the_vendor_daemon_is_down() {
    let mut alone = page(Role::Tertiary);
    alone.master = None;
    alone.quorum = false;
    for server in &mut alone.servers[..2] {
        server.up = false;
        server.master = false;
    }
    check(
        &survey(&[alone]),
        Features::All,
        "License server status: 2837@pat,2837@lee,2837@terry
    License file(s) on terry: /etc/licensing/triad.lic:

       pat: Cannot connect to license server system. (-15,570:111 \"Connection refused\")
       lee: Cannot connect to license server system. (-15,570:111 \"Connection refused\")
     terry: license server UP v0.1.0

Vendor daemon status (on pat):

      demo: The desired vendor daemon is down. (-97,121)
",
    );
}

#[test]
fn nobody_answers_at_all() {
    check(
        &survey(&[]),
        Features::All,
        "Error getting status: Cannot connect to license server system. (-15,570:111 \"Connection refused\")\n",
    );
}

#[test]
fn selections_pick_features_and_servers() {
    let held = everybody(|page| {
        page.checkouts = vec![checkout(81, "ann", 1)];
        page.features[0].in_use = Seats(1);
    });
    let users_of = |features| {
        let report = report(&held, features);
        let lines = report.lines().filter(|line| line.starts_with("Users of"));
        lines.map(|line| line.split_whitespace().nth(2).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(users_of(Features::InUse), ["f1:"]);
    assert_eq!(users_of(Features::Named("f2".to_owned())), ["f2:"]);
    assert_eq!(users_of(Features::OfVendor("demo".to_owned())), ["f1:", "f2:"]);
    assert_eq!(users_of(Features::OfVendor("other".to_owned())), Vec::<String>::new());
    assert!(
        report(&held, Features::Named("f9".to_owned()))
            .ends_with("\nUsers of f9: Cannot get users of f9: No such feature exists. (-5,222)\n")
    );

    let one = Selection { features: Features::None, server: Some("lee".to_owned()) };
    let report = block(&held, &one, &TimeZone::UTC, true);
    assert!(report.starts_with(&format!("{}\nLicense server status: ", "-".repeat(76))));
    assert!(report.contains("       lee: license server UP v0.1.0\n"));
    assert!(!report.contains("terry: license"));
}

/// The demands of `flexlm_exporter` (collector/regexp.go) and of license-manager's agent (parsing/flexlm.py),
/// written down again.
#[test]
fn public_parsers_read_our_report() {
    let held = everybody(|page| {
        page.checkouts = vec![checkout(81, "ann", 1), checkout(90, "John Smith", 3)];
        page.features[0].in_use = Seats(4);
    });
    let report = report(&held, Features::All);
    let matches = |expression: &str| {
        let expression = Regex::new(expression).unwrap();
        report.lines().filter(|line| expression.is_match(line)).count()
    };
    assert_eq!(matches(r"^License server status: ([\w,.@\-]+)$"), 1);
    assert_eq!(matches(r"([\w.-]+): license server (\w+)(\s\(MASTER\))? (v[\d.]+)$"), 3);
    assert_eq!(matches(r"([\w.-]+): license server (\w+)(\s\(MASTER\)) (v[\d.]+)$"), 1);
    assert_eq!(matches(r"^\s+(\w+): (UP|DOWN) (v[\d.]+)$"), 1);
    assert_eq!(matches(r"^Users of (.*):\s+\(Total of (\d+) \w+ issued;\s+Total of (\d+) \w+ in use\)$"), 2);
    assert_eq!(
        matches(
            r"^\s+(?P<user>[\w[:print:]]+) [\w\-.]+ [[:print:]]+ (\(v[\w.]+\)) \([\w\-.]+/\d+ \d+\), start (\w+ \d+/\d+ \d+:\d+)(,\s(\d+)\s\w+|)(\s+\(linger:\s\d+\s/\s\d+\))?(,\s+PID:\s+\d+\s?)?$"
        ),
        2
    );
    assert_eq!(matches(r"^\s+(floating|uncounted nodelocked|nodelocked) license"), 1);
    // license-manager wants two blanks and the plural
    assert_eq!(
        matches(r"^Users of [^:]+:  \(Total of \d+ licenses issued;  Total of \d+ licenses in use\)$"),
        2
    );
    assert_eq!(
        matches(
            r"^\s+\S+ [a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)* \S+ \([^() ]+\) \([a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*/\d+ \d+\), start \S+ \d+/\d+ \d+:\d+$"
        ),
        1,
        "ann; a user with a blank is beyond it"
    );
}

/// A file is there and nothing is served of it: it was refused, or its edition does not apply yet.
#[test]
fn a_vendor_whose_license_is_not_installed_is_down() {
    let survey = everybody(|page| {
        let mut waiting = page.vendors[0].clone();
        (waiting.name, waiting.installed_at) = ("zeta".to_owned(), None);
        page.vendors.push(waiting);
    });
    let told = report(&survey, Features::All);
    let section = &told[told.find("zeta: ").expect("a section")..];
    assert!(section.starts_with("zeta: The desired vendor daemon is down. (-97,121)"), "{told}");
    assert!(!section.contains("Feature usage info"), "{told}");
}

/// An old node-locked line beside counted ones of later versions.
#[test]
fn uncounted_lines_beside_counted_ones_hide_nothing() {
    let survey = everybody(|page| {
        let own = page.features[0].clone();
        page.features = [None, Some(6), Some(2)]
            .into_iter()
            .enumerate()
            .map(|(place, issued)| {
                let mut pool = own.clone();
                (pool.name, pool.pool) = ("ver".to_owned(), PoolId(place as u32 + 10));
                (pool.issued, pool.in_use) = (issued.map(Seats), Seats(u32::from(place == 1)));
                pool
            })
            .collect();
    });
    let told = report(&survey, Features::All);
    assert!(
        told.contains("Users of ver:  (Total of 8 licenses issued;  Total of 1 license in use)"),
        "{told}"
    );
}
