//! Ports on the loopback nobody listens on.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Ports below those that the system gives to outgoing connections (32768 and up on Linux): a server that is down
/// for a while must find its port free again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Whether somebody listens on this port of the loopback.
pub(super) fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Ports on the loopback nobody listens on, with the listeners that keep them until they are dropped. They stay free
/// while a process that was given one is down: the system gives them to no outgoing connection.
pub fn free_ports<const COUNT: usize>() -> io::Result<[(u16, TcpListener); COUNT]> {
    let mut held: Vec<(u16, TcpListener)> = Vec::new();
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    // A thousand tries: more than that many busy ports in a row means that something else is wrong.
    for _ in 0..1000 {
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let port = PORTS.start + u16::from_ne_bytes(random) % (PORTS.end - PORTS.start);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => held.push((port, listener)),
            Err(error) => last = error,
        }
        match held.try_into() {
            Ok(enough) => return Ok(enough),
            Err(fewer) => held = fewer,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_taken_while_somebody_listens() {
        let [(port, listener)] = free_ports::<1>().unwrap();
        assert!(is_taken(port));
        drop(listener);
        assert!(!is_taken(port));
    }
}
