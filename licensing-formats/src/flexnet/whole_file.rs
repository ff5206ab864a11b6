//! What the lines of one file must agree on: how many servers, which ports, one vendor, and that counted
//! seats have a server to count them (FlexNet License Administration Guide, SERVER Lines, VENDOR Lines and
//! Three-Server Redundancy).
//!
//! The property kept: a file that passes can be served. A rule whose line was already found wrong stays
//! silent, so that one mistake is reported once.

use std::collections::BTreeMap;

use super::feature::Feature;
use super::lines::Lines;
use super::server::Server;
use crate::model::Count;
use crate::text::findings::{Findings, shown};

/// Ports a triad may use: below are those that need privileges, above those the system hands out.
const TRIAD_PORTS: std::ops::RangeInclusive<u16> = 1024..=64_000;

/// Reports everything the lines disagree on.
pub(crate) fn check(lines: &Lines, findings: &mut Findings) {
    check_server_count(lines, findings);
    check_ports(lines, findings);
    check_vendor(lines, findings);
    check_counting(lines, findings);
}

/// Two servers cannot outvote one another, and the format knows no more than three.
fn check_server_count(lines: &Lines, findings: &mut Findings) {
    let count = lines.server_at.len();
    let offending = match count {
        0 | 1 | 3 => None,
        2 => lines.server_at.get(1),
        _ => lines.server_at.get(3),
    };
    if let Some(at) = offending {
        let problem = format!("the file has {count} SERVER lines");
        findings.error(*at, problem, "write one for a single server or three for a triad");
    }
}

/// Clients and peers of a triad find the servers by port, so each line must name one, and its own.
fn check_ports(lines: &Lines, findings: &mut Findings) {
    if lines.server_at.len() == 3 {
        for server in &lines.servers {
            check_triad_port(server, findings);
        }
    }
    let mut seen: BTreeMap<(String, u16), u32> = BTreeMap::new();
    for server in &lines.servers {
        let Some(port) = server.line.port else { continue };
        let key = (server.line.host.to_lowercase(), port);
        if let Some(line) = seen.get(&key) {
            let problem =
                format!("{} with port {port} stands on line {line} already", shown(&server.line.host));
            findings.error(server.host_at, problem, "write a different host name or a different port");
        } else {
            seen.insert(key, server.line.line);
        }
    }
}

fn check_triad_port(server: &Server, findings: &mut Findings) {
    match (server.line.port, server.port_at) {
        (Some(port), Some(at)) if !TRIAD_PORTS.contains(&port) => {
            let problem = format!("port {port} cannot be used by a triad");
            findings.error(at, problem, "write a number from 1024 to 64000, for example 27000");
        }
        (None, _) => {
            let problem = "a SERVER line of a triad has no port";
            findings.error(server.end, problem, "write the port after the host id, for example 27000");
        }
        _ => {}
    }
}

/// One vendor for each file.
fn check_vendor(lines: &Lines, findings: &mut Findings) {
    if let Some(second) = lines.vendor_at.get(1) {
        let help = "remove it, or give the other vendor's features a file of their own: the same servers can serve both";
        findings.error(*second, "the file has more than one VENDOR line", help);
        return;
    }
    match &lines.vendor {
        Some(vendor) => {
            for feature in &lines.features {
                if feature.line.vendor != vendor.name {
                    report_other_vendor(feature, &vendor.name, findings);
                }
            }
        }
        // A VENDOR line that could not be read has been reported already.
        None if !lines.vendor_at.is_empty() => {}
        None => {
            if let Some(feature) = lines.features.first() {
                let vendor = &feature.line.vendor;
                let problem = format!("the file has no VENDOR line for vendor {}", shown(vendor));
                findings.error(feature.vendor_at, problem, "write VENDOR and that name on a line before it");
            }
        }
    }
}

fn report_other_vendor(feature: &Feature, vendor: &str, findings: &mut Findings) {
    let problem =
        format!("the vendor {} is not {} of the VENDOR line", shown(&feature.line.vendor), shown(vendor));
    if feature.line.name == vendor {
        let problem = format!(
            "{} stands where the feature belongs, as in RLM license files, which name the vendor first",
            shown(vendor)
        );
        let help =
            "RLM files are not supported: ask the publisher for INCREMENT lines that name the feature first";
        return findings.error(feature.vendor_at, problem, help);
    }
    let help = "move the line to a file for that vendor: the same servers can serve both";
    findings.error(feature.vendor_at, problem, help);
}

fn check_counting(lines: &Lines, findings: &mut Findings) {
    if !lines.server_at.is_empty() {
        return;
    }
    for feature in &lines.features {
        if let Count::Counted(seats) = feature.line.count {
            let name = shown(&feature.line.name);
            let problem = format!("{name} has {seats} seats to count but the file has no SERVER line");
            findings.error(feature.count_at, problem, "write SERVER host hostid port as the first line");
        }
    }
}
