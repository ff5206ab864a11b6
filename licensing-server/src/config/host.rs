//! Which host a name on a SERVER line means.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// What this host calls itself.
pub(super) fn own_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The address when the host is this machine talking to itself.
pub(super) fn loopback(host: &str) -> Option<IpAddr> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    host.parse().ok().filter(IpAddr::is_loopback)
}

/// By the host's name, with or without its domain, or by an address that can be bound here.
pub(super) fn names_this_host(host: &str, own: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return UdpSocket::bind((address, 0)).is_ok();
    }
    let first_label = |name: &str| name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    let either_is_short = !host.contains('.') || !own.contains('.');
    host.eq_ignore_ascii_case(own)
        || host.eq_ignore_ascii_case("this_host")
        || host.eq_ignore_ascii_case("localhost")
        || (either_is_short && first_label(host) == first_label(own))
}
