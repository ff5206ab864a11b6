//! Where the reference server and its clients are, and what is licensed to them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use licensing_client::SearchPath;
use licensing_core::id::Role;

use crate::simulation::network::End;

/// The operator's number among the clients.
pub(super) const OPERATOR: u32 = 999_999;

/// The feature of the second vendor, and how many seats of it there are.
pub(super) const OTHER: (&str, u32) = ("g1", 4);

/// The license of these servers. `third` is the number of seats of a feature that nobody uses, so that files differ.
pub(super) fn license(roles: &[Role], third: u32) -> String {
    let features =
        "FEATURE f1 demo 1.0 permanent 10 SIGN=\"0\"\nFEATURE f2 demo 2.5 31-dec-2099 3 SIGN=\"0\"\n";
    format!("{}VENDOR demo\n{features}FEATURE f3 demo 1.0 permanent {third} SIGN=\"0\"\n", servers(roles))
}

/// The license of a second vendor.
pub(super) fn other_license(roles: &[Role]) -> String {
    let (name, seats) = OTHER;
    format!("{}VENDOR zeta\nFEATURE {name} zeta 1.0 permanent {seats} SIGN=\"0\"\n", servers(roles))
}

fn servers(roles: &[Role]) -> String {
    let lines = roles.iter().map(|role| {
        let pinned = if roles.len() > 1 && *role == Role::Primary { " PRIMARY_IS_MASTER" } else { "" };
        format!("SERVER memory ANY {}{pinned}\n", 2000 + role.number())
    });
    lines.collect()
}

/// Where clients look.
pub(super) fn search_path(roles: &[Role]) -> SearchPath {
    let servers: Vec<String> = roles.iter().map(|role| format!("{}@memory", 2000 + role.number())).collect();
    servers.join(",").parse().expect("a search path")
}

/// Servers and the operator are on the same machine as far as rights go; clients are elsewhere.
pub(super) fn address_of(end: End) -> SocketAddr {
    let host = match end {
        End::Server(_) | End::Client(OPERATOR) => Ipv4Addr::LOCALHOST,
        End::Client(number) => Ipv4Addr::from(0x0a00_0000 + number),
    };
    SocketAddr::new(IpAddr::V4(host), 1024)
}
