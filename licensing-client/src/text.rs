//! Small words that every program of the house says alike.

pub use licensing_core::counted;

use crate::search_path::ServerAddress;

/// `host:port`, as `licensectl primary` prints it and curl takes it.
pub fn host_and_port(address: &ServerAddress) -> String {
    if address.host.contains(':') {
        format!("[{}]:{}", address.host, address.port)
    } else {
        format!("{}:{}", address.host, address.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv6_keeps_its_brackets() {
        assert_eq!(host_and_port(&ServerAddress::new("pat", 27000)), "pat:27000");
        assert_eq!(host_and_port(&ServerAddress::new("::1", 27000)), "[::1]:27000");
    }
}
